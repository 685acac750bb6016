"""The runtime libraries for devices: where they come from, and their checksums."""

import hashlib
import http.server
import io
import json
import platform
import shutil
import tarfile
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest
from exporting import write_hiding_modules
from rounds import BACKENDS, TARGET

from seaformer.benchmark.runner import libraries
from seaformer.benchmark.runner.libraries import PUBLISHED, Published, library_for
from seaformer.errors import SeaformerError, UsageError
from seaformer.packages import NodePackage, Package, Wheel, fetch

ARM64 = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00\xb7\x00" + b"the library" * 9
X86_64 = ARM64[:18] + b"\x3e\x00" + ARM64[20:]
DIGEST = hashlib.sha256(ARM64).hexdigest()

each_backend = pytest.mark.parametrize("backend", BACKENDS)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEAFORMER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _zip(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _aar(path: Path, name: str = "jni/arm64-v8a/libonnxruntime.so", content: bytes = ARM64) -> Path:
    return _zip(path, **{"classes.jar": b"", "jni/x86/libonnxruntime.so": b"x", name: content})


# ---- Installed here


@each_backend
def test_this_computer_uses_the_installed_libraries(backend: str) -> None:
    library = library_for(backend, TARGET, None)
    assert library.path.read_bytes()[:4] == b"\x7fELF"
    assert library.version[0].isdigit()
    assert library.sha256 == hashlib.sha256(library.path.read_bytes()).hexdigest()


def test_every_backend_has_a_library_for_phones() -> None:
    assert set(PUBLISHED) == set(BACKENDS)


def test_the_error_without_a_library_asks_for_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(SeaformerError, match=r"linux-x86_64\. Give one with --runtime"):
        library_for("litert", "linux-x86_64", None)


# ---- Fetched


class LocalPackage:
    """A package on the disk instead of a registry."""

    def __init__(self, archive: Path) -> None:
        self.archive = archive
        self.fetched = 0

    def __str__(self) -> str:
        return "the package of the test"

    def fetch(self, folder: Path) -> Path:
        self.fetched += 1
        return fetch(["cp", str(self.archive), str(folder)], folder, self)


def _publish(
    monkeypatch: pytest.MonkeyPatch, archive: Path, file: str, digest: str = DIGEST
) -> LocalPackage:
    source = LocalPackage(archive)
    content = archive.read_bytes() if archive.is_file() else b""
    _publish_package(monkeypatch, source, content, file, digest)
    return source


def _publish_package(
    monkeypatch: pytest.MonkeyPatch,
    source: Any,
    archive: bytes,
    file: str,
    digest: str = DIGEST,
    **more: Any,
) -> None:
    """Replace the package of the library with one whose archive has this content."""
    members = () if "archives" in more else (file,)
    sha256 = hashlib.sha256(archive).hexdigest()
    package = Package(source, sha256, 1, "MIT", members, "for the test", **more)
    rows = {"onnxruntime": Published("1.2.3", package, file, digest)}
    monkeypatch.setattr(libraries, "PUBLISHED", rows)


def _library(override: Path | None = None) -> libraries.RuntimeLibrary:
    return library_for("onnxruntime", "android-arm64", override)


def test_a_library_is_fetched_once_and_again_when_damaged(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _publish(monkeypatch, _zip(tmp_path / "a.whl", **{"m/lib.so": ARM64}), "m/lib.so")
    library = _library()
    assert library.path.read_bytes() == ARM64
    assert (library.path.name, library.version, library.sha256) == ("lib.so", "1.2.3", DIGEST)
    assert (_library(), source.fetched) == (library, 1)
    library.path.write_bytes(ARM64[:-1])
    assert _library().path.read_bytes() == ARM64
    assert source.fetched == 2
    assert [path for path in cache.rglob("*") if path.is_file()] == [library.path]


def test_a_library_is_found_in_an_archive_in_an_archive(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aar = _aar(tmp_path / "onnxruntime.aar").read_bytes()
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as archive:
        member = tarfile.TarInfo("package/onnxruntime.aar")
        member.size = len(aar)
        archive.addfile(member, io.BytesIO(aar))
    _publish_package(
        monkeypatch,
        LocalPackage(tmp_path / "a.tgz"),
        (tmp_path / "a.tgz").read_bytes(),
        "package/onnxruntime.aar/jni/arm64-v8a/libonnxruntime.so",
        archives={"package/onnxruntime.aar": ("jni/arm64-v8a/*.so",)},
    )
    assert _library().path.read_bytes() == ARM64
    assert [path for path in cache.rglob("*") if path.is_file()] == [_library().path]


@pytest.mark.parametrize(
    ("content", "member", "message"),
    [
        (X86_64, "lib.so", f"does not have the SHA-256 {DIGEST}"),
        (ARM64, "other.so", "has no other.so"),
        (None, "lib.so", "it is not the file that was published"),
    ],
)
def test_a_file_other_than_the_published_one_is_refused(
    content: bytes | None,
    member: str,
    message: str,
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archive = _zip(tmp_path / "a.whl", **{"lib.so": content or ARM64})
    _publish(monkeypatch, archive, member)
    if content is None:
        archive.write_bytes(archive.read_bytes()[:40])
    with pytest.raises(SeaformerError, match="--runtime-library PATH") as caught:
        _library()
    assert message in str(caught.value)
    assert "com.microsoft.onnxruntime:onnxruntime-android" in str(caught.value)
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_other_files_of_a_package_are_stored_separately(tmp_path: Path) -> None:
    archive = _zip(tmp_path / "a.whl", **{"lib.so": ARM64, "other.so": X86_64, "../bad.so": b""})
    source = LocalPackage(archive)
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    one, both = (
        Package(source, sha256, 1, "MIT", (pattern,), "for the test")  # type: ignore[arg-type]
        for pattern in ("lib.so", "*.so")
    )
    assert not one.is_here
    assert [path.name for path in one.files().iterdir()] == ["lib.so"]
    assert one.is_here
    assert not both.is_here
    assert sorted(path.name for path in both.files().iterdir()) == ["lib.so", "other.so"]
    assert source.fetched == 2


@pytest.mark.parametrize("is_tar", [False, True])
def test_names_in_a_package_cannot_leave_its_folder(tmp_path: Path, is_tar: bool) -> None:
    bad = ["../a.so", "/a.so", "x/../../a.so", "..\\a.so", "C:\\a.so", "C:a.so", "x/nul.so"]
    archive = tmp_path / "a.whl"
    if is_tar:
        with tarfile.open(archive, "w") as tar:
            for name in ["lib.so", *bad]:
                entry = tarfile.TarInfo(name)
                entry.size = len(ARM64)
                tar.addfile(entry, io.BytesIO(ARM64))
            link = tarfile.TarInfo("link.so")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(link)
    else:
        _zip(archive, **dict.fromkeys(["lib.so", *bad], ARM64))
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    package = Package(LocalPackage(archive), sha256, 1, "MIT", ("*.so",), "test")  # type: ignore[arg-type]
    unpacked = package.files()
    assert [path.name for path in unpacked.rglob("*")] == ["lib.so"]
    files = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {archive, unpacked / "lib.so"}


def test_a_failing_registry_is_a_one_line_error(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _publish(monkeypatch, tmp_path / "missing.whl", "lib.so")
    with pytest.raises(SeaformerError, match=r"the package of the test cannot be fetched[^\n]+$"):
        _library()
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_the_error_about_missing_npm_names_the_alternative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SeaformerError, match=r"npm is not installed\. Or give a library"):
        _library()


def test_a_cache_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _publish(monkeypatch, _zip(tmp_path / "a.whl", **{"lib.so": ARM64}), "lib.so")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEAFORMER_CACHE", str(tmp_path / "file"))
    with pytest.raises(SeaformerError, match="Set SEAFORMER_CACHE to a writable folder"):
        _library()


def test_pip_fetches_the_wheel_of_another_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real pip with a folder as its registry."""
    (tmp_path / "here").mkdir()
    write_hiding_modules(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    metadata = {
        "some_wheel-1.2.dist-info/METADATA": b"Name: some-wheel\nVersion: 1.2\n",
        "some_wheel-1.2.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\n",
        "some_wheel-1.2.dist-info/RECORD": b"",
    }
    (tmp_path / "registry").mkdir()
    name = "some_wheel-1.2-py3-none-android_23_arm64_v8a.whl"
    _zip(tmp_path / "registry" / name, **{"lib.so": ARM64}, **metadata)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "registry"))
    wheel = Wheel("some-wheel", "1.2", ("android_23_arm64_v8a",), "3.13")
    content = (tmp_path / "registry" / name).read_bytes()
    _publish_package(monkeypatch, wheel, content, "lib.so")
    # A module named pip in the working directory is not run.
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "pip.py").write_text("raise SystemExit('not pip')")
    monkeypatch.chdir(tmp_path / "downloads")
    assert _library().path.read_bytes() == ARM64


class NodeRegistry(http.server.BaseHTTPRequestHandler):
    """Answers the two requests of npm: the description of a package, and its archive."""

    archive: bytes
    requests: list[str]

    def do_GET(self) -> None:
        self.requests.append(self.path)
        content = self.archive
        if not self.path.endswith(".tgz"):
            address = f"http://{self.headers['Host']}/some.package-3.4.0.tgz"
            shasum = hashlib.sha1(self.archive).hexdigest()
            dist = {"tarball": address, "shasum": shasum}
            version = {"name": "some.package", "version": "3.4.0", "dist": dist}
            described = {"name": "some.package", "versions": {"3.4.0": version}}
            content = json.dumps(described | {"dist-tags": {"latest": "3.4.0"}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_npm_fetches_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real npm, with a registry in this process."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in (("package/lib.so", ARM64), ("package/package.json", b"{}")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    requests: list[str] = []
    handler = type("Handler", (NodeRegistry,), {"archive": packed.getvalue(), "requests": requests})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
        package = NodePackage("some.package", "3.4.0")
        _publish_package(monkeypatch, package, packed.getvalue(), "package/lib.so")
        # Otherwise it checks for a newer version of itself.
        monkeypatch.setenv("npm_config_update_notifier", "true")
        monkeypatch.delenv("CI", raising=False)
        assert _library().path.read_bytes() == ARM64
        server.shutdown()
    assert set(requests) == {"/some.package", "/some.package-3.4.0.tgz"}


# ---- Given by the user


def test_a_library_from_the_user_is_used_unchanged(tmp_path: Path) -> None:
    (tmp_path / "libmine.so").write_bytes(ARM64)
    library = _library(tmp_path / "libmine.so")
    assert (library.path, library.version) == (tmp_path / "libmine.so", "any")
    assert library.sha256 == DIGEST


def test_its_name_on_the_device_is_plain(tmp_path: Path) -> None:
    file = tmp_path / "my $(lib)\n'1'.so"
    file.write_bytes(ARM64)
    library = _library(file)
    assert library.path.name == "libonnxruntime.so"
    assert library.path.read_bytes() == ARM64


def test_the_arm64_library_is_extracted_from_an_aar(tmp_path: Path) -> None:
    library = _library(_aar(tmp_path / "onnxruntime-android.aar"))
    assert library.path.read_bytes() == ARM64
    assert library.path.name == "libonnxruntime.so"
    assert _library(tmp_path / "onnxruntime-android.aar") == library


@pytest.mark.parametrize(
    ("backend", "target", "name", "content", "message"),
    [
        ("litert", "android-arm64", "lib.so", X86_64, "is for x86-64, but the device is arm64"),
        ("litert", "linux-x86_64", "lib.so", ARM64, "is for arm64, but the device is x86-64"),
        ("litert", "linux-x86_64", "lib.so", ARM64[:18] + b"\x28\x00", "ELF number 40"),
        ("litert", "linux-x86_64", "lib.so", b"text", "is not a library"),
        ("litert", "linux-x86_64", "lib.so", ARM64[:19], "is not a library"),
        ("litert", "android-arm64", "x.aar", b"text", "is not an .aar"),
        (
            "litert",
            "linux-arm64",
            "x.aar",
            b"text",
            "is for Android, but the device is linux-arm64",
        ),
    ],
)
def test_a_library_for_another_device_is_refused(
    backend: str, target: str, name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError) as caught:
        library_for(backend, target, tmp_path / name)
    assert message in str(caught.value)


def test_the_libraries_of_an_unsuitable_aar_are_listed(tmp_path: Path) -> None:
    aar = _aar(tmp_path / "x.aar", "jni/arm64-v8a/libother.so")
    with pytest.raises(UsageError, match=r"libother\.so\. Use the \.aar of com\.microsoft"):
        _library(aar)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no file '.*/none\.so'"):
        _library(tmp_path / "none.so")
