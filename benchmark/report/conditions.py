"""The conditions of benchmarks as text."""

from collections.abc import Sequence
from datetime import UTC

from seaformer.benchmark.devices.device import Conditions
from seaformer.benchmark.results.schema import BrowserFacts, Results, StoppedBy

UNKNOWN = "unknown"

STOPPED_AFTER: dict[StoppedBy, str] = {
    "runs": "requested runs",
    "precision": "requested precision",
    "time limit": "time limit",
    "problem": "a problem",
    "interrupt": "an interrupt",
}


def conditions(all_results: Sequence[Results]) -> dict[str, list[str]]:
    """Return the name of each condition -> its value in each benchmark."""
    columns = [_facts_of(results) for results in all_results]
    rows = {title: [column[title] for column in columns] for title in columns[0]}
    return {title: values for title, values in rows.items() if any(values)}


def _facts_of(results: Results) -> dict[str, str]:
    device, protocol = results.device, results.protocol
    before, after = results.conditions_before, results.conditions_after
    rounds = [one for one in results.rounds if one.purpose == "measure"]
    excluded = sum(not one.used for one in rounds)
    groups = {one.turn for one in rounds} - {None}
    runs = f"{protocol.runs_per_round} run{'s' * (protocol.runs_per_round != 1)}"
    return {
        "measured by": results.measured_by,
        "device": _words(device.serial, device.manufacturer, device.model),
        "processor": _words(device.soc or UNKNOWN, device.abi)
        + (", EMULATED" if device.is_emulated else ""),
        "accelerator": results.computed_on or "none: the CPU",
        "memory": UNKNOWN
        if device.memory_bytes is None
        else f"{device.memory_bytes / 2**30:.1f} GiB",
        "system": device.os or UNKNOWN,
        "threads": results.all_threads,
        "cores": results.all_cores,
        "load beside the models": "" if protocol.load is None else str(protocol.load),
        "runtime": _words(
            results.runtime.name,
            results.runtime.version or "of unknown version",
            f"({results.runtime.file}, SHA-256 {results.runtime.sha256[:12]})",
        ),
        "browser": _browser(results.browser),
        "temperature": _change(_temperature(before), _temperature(after)),
        "thermal status": _change(_thermal_status(before), _thermal_status(after)),
        "battery": _battery(before),
        "rounds": f"{len(rounds)} rounds x {runs} per model"
        + (f", {excluded} rounds excluded" if excluded else "")
        + (f", one setting per round, {len(groups)} rounds per setting" if groups else "")
        + f"; {protocol.warmup_runs} warm-up runs per model and round",
        "requested": f"±{100 * protocol.until:g} %" if protocol.until else f"{protocol.runs} runs",
        "stopped after": STOPPED_AFTER[results.stopped_by],
        "seed": str(protocol.seed),
        "measured at": f"{results.created_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "programs": ", ".join(f"{name} {version}" for name, version in results.versions.items()),
        "not reported by the device": ", ".join(results.unknown) or "nothing",
    }


def _browser(browser: BrowserFacts | None) -> str:
    if browser is None:
        return "none"
    gib = browser.memory_gib
    return "; ".join(
        (
            browser.user_agent,
            f"{UNKNOWN if browser.processors is None else browser.processors} logical processors",
            f"memory {UNKNOWN if gib is None else f'{gib:g} GiB, rounded'}",
            f"GPU {browser.gpu or UNKNOWN}",
            f"{'' if browser.isolated else 'not '}cross-origin isolated",
            f"clock in steps of {browser.clock_ms:g} ms",
        )
    )


def _temperature(state: Conditions | None) -> str:
    reading = None if state is None else state.temperature
    return UNKNOWN if reading is None else f"{reading.celsius:.1f} °C ({reading.kind})"


def _battery(state: Conditions) -> str:
    if state.battery_percent is None:
        return UNKNOWN
    return f"{state.battery_percent} %{', charging' if state.is_charging else ''}"


def _thermal_status(state: Conditions | None) -> str:
    status = None if state is None else state.thermal_status
    return UNKNOWN if status is None else str(status)


def _change(before: str, after: str) -> str:
    return before if before == after else f"{before} to {after}"


def _words(*words: str | None) -> str:
    return " ".join(word for word in words if word)
