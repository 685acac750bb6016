"""The table of released weights, and downloads from a local server in place of Google Drive.

What is not tested here is Google Drive itself: its web pages, its quota and the files.
"""

import hashlib
import io
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from official_weights import to_official

from seaformer.cache import cache_folder
from seaformer.errors import SeaformerError, UnknownNameError
from seaformer.models.loading import load_weights
from seaformer.models.registry import REGISTRY
from seaformer.models.resolve import as_network
from seaformer.models.seaformer.network import SeaFormer, SeaFormerClassifier
from seaformer.models.seaformer.variants import VARIANTS, get_variant
from seaformer.network_names import name_of_variant, variant_of
from seaformer.tasks import TASKS, get_task
from seaformer.weights.download import fetch
from seaformer.weights.random_weights import fill_random
from seaformer.weights.released import RELEASED, ReleasedWeights, find_released

TINY = find_released("ade20k", "seaformer-tiny", get_task("ade20k"))
SEAFORMERS = [weights for weights in RELEASED if REGISTRY[weights.network].variant]
FILES = [weights for weights in SEAFORMERS if not weights.is_backbone]


def saved(content: object, **options: bool) -> bytes:
    """Return the file that torch.save would write."""
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


CHECKPOINT = saved({"state_dict": {"weight": torch.arange(1000.0)}})
LEGACY = saved({"weight": torch.ones(3)}, _use_new_zipfile_serialization=False)
EMPTY_ARCHIVE = b"PK\x05\x06" + bytes(18)
QUOTA_PAGE = b"\n<!DOCTYPE html><html><p>Too many users have viewed this file recently.</p></html>"


class StandIn:
    """A server with the same answer to all requests, which it counts."""

    def __init__(self) -> None:
        self.body = CHECKPOINT
        self.status = 200
        self.pause_s = 0.0  # after each byte
        self.announced: int | None = len(CHECKPOINT)
        self.paths: list[str] = []
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stand_in.paths.append(self.path)
                self.send_response(stand_in.status)
                if stand_in.announced is not None:
                    self.send_header("Content-Length", str(stand_in.announced))
                self.end_headers()
                if not stand_in.pause_s:
                    self.wfile.write(stand_in.body)
                    return
                with suppress(OSError):  # the client has disconnected
                    for byte in stand_in.body:
                        self.wfile.write(bytes([byte]))
                        time.sleep(stand_in.pause_s)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def serve(self, body: bytes, status: int = 200, announced: int | None = -1) -> None:
        """Set the answer; the announced length is omitted for None, and correct for -1."""
        self.body, self.status = body, status
        self.announced = len(body) if announced == -1 else announced


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEAFORMER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache" / "weights"


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    stand_in = StandIn()
    monkeypatch.setenv("SEAFORMER_WEIGHTS_URL", stand_in.url)
    yield stand_in
    stand_in.server.shutdown()
    stand_in.server.server_close()


def failure(released: ReleasedWeights = TINY, base_url: str | None = None) -> str:
    """Fetch, expect an error, and return its text, which has to be one line."""
    with pytest.raises(SeaformerError) as caught:
        fetch(released, base_url)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_names_are_unique_per_variant_and_task() -> None:
    keys = [(weights.name, weights.network, weights.task) for weights in SEAFORMERS]
    assert len(set(keys)) == len(keys) == 20


def test_the_table_has_existing_variants_tasks_and_files() -> None:
    assert len({weights.drive_id for weights in FILES}) == len(FILES) == 16
    for weights in SEAFORMERS:
        assert variant_of(weights.network) in VARIANTS
        assert weights.task in TASKS
        assert re.fullmatch(r"1[\w-]{32}", weights.drive_id)
        assert weights.url == f"https://drive.google.com/uc?id={weights.drive_id}"
        assert weights.metric == ("top-1" if weights.task == "imagenet" else "mIoU")


def test_the_short_name_is_the_better_file() -> None:
    for variant in map(name_of_variant, VARIANTS):
        task = get_task("ade20k")
        better = find_released("ade20k", variant, task)
        other = find_released("ade20k-batch16", variant, task)
        assert (better.batch, other.batch) == (32, 16)
        assert better.score > other.score


def test_cityscapes_names_contain_the_input_size() -> None:
    task = get_task("cityscapes")
    for name in ("small", "base"):
        whole = find_released("cityscapes", name_of_variant(name), task)
        half = find_released("cityscapes-half", name_of_variant(name), task)
        assert (whole.input_size, half.input_size) == ((1024, 2048), (512, 1024))
        assert whole.score > half.score


def test_imagenet_backbone_is_the_imagenet_file() -> None:
    base = "seaformer-base"
    backbone = find_released("imagenet-backbone", base, get_task("pascal-context"))
    whole = find_released("imagenet", base, get_task("imagenet"))
    assert backbone.is_backbone
    assert not whole.is_backbone
    assert backbone.file_name == whole.file_name


@pytest.mark.parametrize(
    ("name", "variant", "task", "parts"),
    [
        (
            "cityscapes",
            "tiny",
            "cityscapes",
            ["variant tiny", "(small, base)", "Valid for both: imagenet"],
        ),
        ("ade20k", "tiny", "coco-stuff", ["task ade20k (tiny, small", "imagenet-backbone"]),
        ("imagenet", "tiny", "ade20k", ["only for task imagenet", "ade20k, ade20k-batch16"]),
        ("imagenet-backbone", "tiny", "imagenet", ["only for segmentation tasks"]),
        ("ade2k", "tiny", "ade20k", ["unknown released weights 'ade2k'", "mean 'ade20k'?"]),
        ("", "tiny", "ade20k", ["unknown released weights ''"]),
    ],
)
def test_the_error_lists_valid_names(name: str, variant: str, task: str, parts: list[str]) -> None:
    with pytest.raises(UnknownNameError) as caught:
        find_released(name, name_of_variant(variant), get_task(task))
    message = str(caught.value)
    assert all(part in message for part in [*parts, "--weights PATH"]), message


def test_table_and_download_are_imported_without_torch_or_gdown() -> None:
    code = (
        "import sys, seaformer.weights.released, seaformer.weights.download\n"
        "print([name for name in ('torch', 'numpy', 'gdown', 'requests') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_file_is_downloaded_once_and_cached(drive: StandIn, cache: Path) -> None:
    path = fetch(TINY)
    assert path.read_bytes() == CHECKPOINT
    assert drive.paths == [f"/uc?id={TINY.drive_id}"]
    note = json.loads((cache / f"{path.name}.json").read_text())
    assert note == {"sha256": hashlib.sha256(CHECKPOINT).hexdigest()}
    drive.serve(b"", status=500)
    assert fetch(TINY) == path
    assert len(drive.paths) == 1


def test_no_other_files_stay_in_the_cache(drive: StandIn, cache: Path) -> None:
    path = fetch(TINY)
    drive.serve(CHECKPOINT[:-10], announced=len(CHECKPOINT))
    failure(RELEASED[1])
    assert sorted(file.name for file in cache.iterdir()) == [path.name, f"{path.name}.json"]


def test_the_base_url_has_precedence_over_the_variable(
    drive: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEAFORMER_WEIGHTS_URL", "http://127.0.0.1:9")
    assert fetch(TINY, base_url=f"{drive.url}/").is_file()


def test_file_of_old_torch_is_accepted(drive: StandIn) -> None:
    drive.serve(LEGACY)
    assert fetch(TINY).read_bytes() == LEGACY


@pytest.mark.usefixtures("drive")
def test_changed_file_in_the_cache_is_refused() -> None:
    path = fetch(TINY)
    changed = bytearray(CHECKPOINT)
    changed[500] ^= 1
    path.write_bytes(changed)
    message = failure()
    for digest in (hashlib.sha256(CHECKPOINT), hashlib.sha256(changed)):
        assert digest.hexdigest() in message
    assert str(path) in message
    assert f"Delete '{path}'" in message
    path.unlink()
    assert fetch(TINY).read_bytes() == CHECKPOINT


def test_file_replaced_on_the_server_is_refused(drive: StandIn) -> None:
    path = fetch(TINY)
    path.unlink()
    drive.serve(LEGACY)
    message = failure()
    assert TINY.url_at(drive.url) in message
    assert f"delete '{path}.json'" in message
    assert not path.exists()
    path.with_name(f"{path.name}.json").unlink()
    assert fetch(TINY).read_bytes() == LEGACY


@pytest.mark.usefixtures("drive")
@pytest.mark.parametrize(
    "content", ["", "[]", '{"size": 3}', '{"sha256": 3}', "\x00", "[" * 100_000]
)
def test_damaged_note_is_refused(content: str) -> None:
    path = fetch(TINY)
    path.with_name(f"{path.name}.json").write_text(content)
    assert f"'{path}.json' is damaged" in failure()


def test_a_manually_placed_file_is_used(drive: StandIn, cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / TINY.file_name).write_bytes(CHECKPOINT)
    assert fetch(TINY).read_bytes() == CHECKPOINT
    (cache / TINY.file_name).write_bytes(LEGACY)
    assert "has SHA-256" in failure()
    (cache / TINY.file_name).write_bytes(EMPTY_ARCHIVE)
    expected = (
        f"'{cache / TINY.file_name}' is an archive without weights (22 bytes). Delete it and '"
    )
    assert expected in failure()
    assert drive.paths == []


@pytest.mark.parametrize(
    ("body", "status", "announced", "reason"),
    [
        (QUOTA_PAGE, 200, -1, "is a web page: Google Drive refuses"),
        (CHECKPOINT[:3000], 200, len(CHECKPOINT), "is refused or incomplete"),
        (CHECKPOINT[:3000], 200, None, "is incomplete (3000 bytes)"),
        (EMPTY_ARCHIVE, 200, -1, "is an archive without weights (22 bytes)"),
        (b"", 200, -1, "is not a PyTorch checkpoint (0 bytes"),
        (b"hello", 200, -1, "is not a PyTorch checkpoint (5 bytes, the first are b'hello')"),
        (b"not found", 404, -1, "404"),
        (b"wait", 429, -1, "429"),
    ],
    ids=["page", "truncated", "truncated-unannounced", "archive", "empty", "text", "404", "429"],
)
def test_other_downloads_than_checkpoints_are_refused(
    drive: StandIn, cache: Path, body: bytes, status: int, announced: int | None, reason: str
) -> None:
    drive.serve(body, status, announced)
    message = failure()
    for part in ("'ade20k' of variant tiny", TINY.url_at(drive.url), reason, "--weights PATH"):
        assert part in message, message
    assert list(cache.iterdir()) == []
    drive.serve(CHECKPOINT)
    assert fetch(TINY).read_bytes() == CHECKPOINT


def test_a_download_from_a_slow_server_is_stopped(
    drive: StandIn, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seaformer.weights.download.STALL_S", 0.5)
    drive.pause_s = 0.05
    assert re.search(r"is too slow \(0\.0 MB in \d+ s\)", failure())
    assert list(cache.iterdir()) == []
    drive.pause_s = 0.0
    assert fetch(TINY).read_bytes() == CHECKPOINT


def test_a_missing_connection_is_a_clear_error() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    message = failure(base_url=url)
    assert "is unreachable (ConnectionError" in message
    assert TINY.url_at(url) in message
    assert "--weights PATH" in message


def test_a_bad_server_url_is_a_clear_error() -> None:
    assert "is unreachable (MissingSchema" in failure(base_url="my-mirror")


@pytest.mark.usefixtures("drive")
def test_a_read_only_cache_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEAFORMER_CACHE", str(tmp_path / "file"))
    message = failure()
    assert f"cannot store weights in '{cache_folder('weights')}'" in message
    assert "Set SEAFORMER_CACHE" in message


def test_the_default_cache_belongs_to_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEAFORMER_CACHE")
    assert cache_folder("weights").parts[-2:] == ("seaformer", "weights") or sys.platform == "win32"


@pytest.mark.usefixtures("drive")
def test_concurrent_downloads_do_not_collide(cache: Path) -> None:
    paths: list[Path] = []
    threads = [threading.Thread(target=lambda: paths.append(fetch(TINY))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths == [cache / TINY.file_name] * 4
    assert fetch(TINY).read_bytes() == CHECKPOINT
    assert len(list(cache.iterdir())) == 2


def test_released_weights_are_loaded_by_name(drive: StandIn) -> None:
    variant, task = get_variant("tiny"), get_task("ade20k")
    trained, model = SeaFormer(variant, 150), SeaFormer(variant, 150)
    fill_random(trained, seed=7)
    state = to_official(trained.state_dict(), variant)
    drive.serve(saved({"state_dict": state, "meta": {"CLASSES": task.labels}}))
    record = load_weights(model, as_network("tiny"), task, "ade20k")
    assert (record.name, record.source, record.is_random) == ("ade20k", TINY.url, False)
    assert record.sha256 == hashlib.sha256(drive.body).hexdigest()
    assert record.class_names == task.labels
    assert record.note == ""
    for key, tensor in trained.state_dict().items():
        assert torch.equal(model.state_dict()[key], tensor), key


def test_imagenet_backbone_is_loaded_by_name(drive: StandIn) -> None:
    variant = get_variant("tiny")
    classifier, model = SeaFormerClassifier(variant, 1000), SeaFormer(variant, 150)
    fill_random(classifier, seed=7)
    drive.serve(saved({"state_dict": to_official(classifier.state_dict(), variant)}))
    record = load_weights(model, as_network("tiny"), get_task("ade20k"), "imagenet-backbone")
    assert record.is_random
    assert record.name == "imagenet-backbone"
    stem = "stem.stage2.1.reduce.conv.weight"
    assert torch.equal(model.state_dict()[stem], classifier.state_dict()[stem])
