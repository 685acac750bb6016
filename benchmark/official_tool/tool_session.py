"""Benchmarks with the official `benchmark_model`, one model after the other."""

from pathlib import Path

from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.devices.cores import Setting
from seaformer.benchmark.devices.device import Workspace
from seaformer.benchmark.devices.errors import FileRefused, ProgramKilled
from seaformer.benchmark.measure.session import ModelError, Session
from seaformer.benchmark.official_tool.arguments import Input, Tool, arguments, recognize
from seaformer.benchmark.official_tool.output import read_output
from seaformer.benchmark.results.schema import RuntimeUsed, StoppedBy
from seaformer.files import file_sha256

TOOL = "benchmark_model"
LAUNCHER = "launch"
WARMUP_RUNS = 3

HELP_LIMIT_S = 60.0


class ToolSession(Session):
    """A benchmark with the official tool, which has no rounds."""

    def prepare(self) -> RuntimeUsed:
        """Check the binary."""
        assert self.options.binary is not None
        return RuntimeUsed(
            name=self.request.backend.title,
            version=None,
            file=self.options.binary.name,
            sha256=file_sha256(self.options.binary),
        )

    def own_files(self) -> list[tuple[Path, str, bool]]:
        """Return the tool."""
        assert self.options.binary is not None
        return [(self.options.binary, TOOL, True)]

    def work(self, workspace: Workspace, setting: Setting) -> StoppedBy:
        """Measure every model with the tool."""
        # The tool cannot set its affinity, so a script binds it to the chosen cores.
        launcher = f'exec taskset {setting.cores.mask} ./{TOOL} "$@"\n'
        workspace.place_script(LAUNCHER, launcher)
        about = workspace.execute(TOOL, ["--help"], time_limit_s=HELP_LIMIT_S)
        tool = recognize("\n".join((*about.stdout_lines, about.stderr)))
        self.warmup_runs = WARMUP_RUNS
        for one in self.candidates:
            self.cool()
            self.progress.describe(self.device.serial, f"{tool.title} measures {one.path.name}")
            with self.tolerating(one):
                self._measure(workspace, tool, one)
            self.save_so_far()
        return "runs"

    def _measure(self, workspace: Workspace, tool: Tool, one: Candidate) -> None:
        given = None
        if tool.shows_output:
            workspace.write(f"{one.id}.input", one.tensor)
            files = f"{one.id}.input", f"{one.id}.output"
            given = Input(one.input.name, one.input.shape, *files)
        assert self.request.runs is not None
        words = arguments(
            tool,
            self.file_name(one),
            threads=self.options.threads,
            warmup_runs=WARMUP_RUNS,
            runs=self.request.runs,
            given=given,
        )
        finished = workspace.execute(LAUNCHER, words, time_limit_s=self.remaining_s())
        if finished.signal is not None:
            raise ProgramKilled(
                f"{TOOL} on {self.device.serial} was killed by signal {finished.signal}."
            )
        times = read_output("\n".join((*finished.stdout_lines, finished.stderr)))
        if finished.exit_status or times is None:
            lines = [line for line in finished.stderr.splitlines() if line.strip()]
            last_line = lines[-1].strip() if lines else "nothing"
            raise ModelError(
                f"{TOOL} on {self.device.serial} did not measure '{one.path}' (status "
                f"{finished.exit_status}). Its last output: {last_line}. Run it manually for "
                "details."
            )
        self.tool_times[one.id] = times
        if given is not None:
            try:
                answer = workspace.read(given.output_file, one.output_bytes)
            except FileRefused:
                return  # This version of the tool has the flag, but ignores it.
            self.verify(one, answer)
