"""What comes from outside: downloads of ADD and of contexts, git repositories, archives. All of it untrusted and bounded."""

from __future__ import annotations

import hashlib
import os

from hyperbox import files, process
from hyperbox.build.jobs import JobFailed
from hyperbox.build.unpacking import is_archive, unpack_into

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.build import graph
    from hyperbox.build.jobs import Child
    from hyperbox.image.store import ImageStore, Lease

    Json = dict[str, object]

CHUNK = 1 << 20
MAXIMUM_DOWNLOAD = 1 << 40  # bytes
TIMEOUT = 60.0  # seconds without a byte
GIT_TIMEOUT = 1800.0  # seconds


def download(url: str, path: str, checksum: str = "") -> tuple[str, float | None]:
    """Fetch a URL into a file; returns (its SHA-256, the server's time of change or None). Raises JobFailed."""
    import email.utils
    import urllib.error
    import urllib.request

    request = urllib.request.Request(url, headers={"User-Agent": "hyperbox", "Accept-Encoding": "identity"})
    hasher, size = hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response, open(path, "wb") as file:
            changed = (
                email.utils.parsedate_to_datetime(response.headers["Last-Modified"]).timestamp()
                if (response.headers["Last-Modified"])
                else None
            )
            while chunk := response.read(CHUNK):
                size += len(chunk)
                if size > MAXIMUM_DOWNLOAD:
                    raise JobFailed(f"{url} is larger than {MAXIMUM_DOWNLOAD} bytes")
                hasher.update(chunk)
                file.write(chunk)
    except urllib.error.HTTPError as error:
        raise JobFailed(f"failed to load cache key: invalid response status {error.code}", kind="download") from None
    except (OSError, ValueError) as error:
        raise JobFailed(f'failed to load cache key: Get "{url}": {_words(url, error)}', kind="download") from None
    digest = f"sha256:{hasher.hexdigest()}"
    if checksum and digest != checksum:
        raise JobFailed(f"digest mismatch {digest}: {checksum}", kind="download")
    return digest, changed


def _words(url: str, error: OSError | ValueError) -> str:
    """Return Go's words for a download that could not begin, or broke off."""
    import urllib.parse

    from hyperbox.image.registry import dial_error

    reason = getattr(error, "reason", error)
    return dial_error(urllib.parse.urlsplit(url), reason) if isinstance(reason, OSError) else str(reason)


def extract(path: str, folder: str, *, required: bool = True) -> bool:
    """Unpack an archive into an empty folder; returns whether it was one. Raises JobFailed where it had to be."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if not is_archive(descriptor):
            if required:
                raise JobFailed("the context is not a tar archive")
            return False
        target = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            unpack_into(descriptor, target, None)
        finally:
            os.close(target)
        return True
    finally:
        os.close(descriptor)


def git(*words: str, folder: str = "") -> str:
    """Run git and return what it prints. Raises JobFailed with its own words, or where it is not installed."""
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": os.environ.get("HOME", "/root"),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": "https:http:git:ssh",
    }
    for name in (
        "SSH_AUTH_SOCK",
        "GIT_SSH_COMMAND",
        "https_proxy",
        "http_proxy",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "SSL_CERT_FILE",
    ):
        if name in os.environ:
            environment[name] = os.environ[name]
    place = ["-C", folder] if folder else []
    try:
        done = process.run(["git", *place, *words], env=environment, timeout=GIT_TIMEOUT)
    except FileNotFoundError:
        raise JobFailed("git sources need git, which is not installed: install the package git") from None
    if done.code:
        raise JobFailed(f"failed to run git {words[0]}: {done.err.decode(errors='replace').strip()}")
    return done.out.decode(errors="replace").strip()


def clone(url: str, reference: str, subfolder: str, folder: str, *, keep_git_dir: bool, commit: str = "") -> str:
    """Check a repository out below `folder` and return the folder of its files. Raises JobFailed."""
    if url.startswith("-") or reference.startswith("-"):
        raise JobFailed(f"invalid git source: {url}#{reference}")
    if url.startswith("github.com/"):
        url = f"https://{url}"
    target = f"{folder}/repository"
    git("init", "--quiet", target)
    git("remote", "add", "origin", url, folder=target)
    wanted = ["origin", reference or "HEAD"]
    try:
        git("fetch", "--quiet", "--depth", "1", "--no-tags", *wanted, folder=target)
    except JobFailed:  # a server that can't give a part, or a commit that is no branch's end
        git("fetch", "--quiet", "--tags", "origin", folder=target)
        if not _fetched(target, reference):
            git("fetch", "--quiet", "--no-tags", *wanted, folder=target)
    git("checkout", "--quiet", _commit(target, reference), folder=target)
    head = git("rev-parse", "HEAD", folder=target)
    if commit and not head.startswith(commit.removeprefix("sha1:")):
        raise JobFailed(f"expected checksum to match {commit}, got {head}")
    if os.path.exists(f"{target}/.gitmodules"):
        git("submodule", "update", "--init", "--recursive", "--depth", "1", "--quiet", folder=target)
    if not keep_git_dir:
        files.remove_tree(f"{target}/.git")
    clean = os.path.normpath("/" + subfolder).lstrip("/")
    if not clean:
        return target
    real = os.path.realpath(f"{target}/{clean}")
    if not real.startswith(os.path.realpath(target) + "/") or not os.path.isdir(real):
        raise JobFailed(f"failed to find the folder {subfolder} in {url}")
    return real


def _fetched(target: str, reference: str) -> bool:
    """Return whether a reference that was not fetched by its name is there."""
    try:
        git("rev-parse", "--quiet", "--verify", f"{reference}^{{commit}}", folder=target)
    except JobFailed:
        return False
    return bool(reference)


def _commit(target: str, reference: str) -> str:
    """Return what to check out: what was fetched by name, or a commit that came with the rest."""
    return reference if len(reference) >= 7 and _fetched(target, reference) else "FETCH_HEAD"


def download_job(child: Child, store: ImageStore, lease: Lease, operation: graph.Download) -> Json:
    """ADD of a URL: a layer with the one file; returns {"DiffId", "Size", "Content"}."""
    from hyperbox.build.workspace import Workspace

    work = Workspace(store)
    try:
        root = work.begin(())
        path = f"{root}/{operation.name}"
        digest, changed = download(operation.url, path, operation.checksum)
        os.chmod(path, 0o600)
        moment = changed if changed is not None else 0.0
        os.utime(path, (moment, moment))
        return {**work.keep(lease), "Content": digest}
    finally:
        work.close()


def clone_job(child: Child, store: ImageStore, lease: Lease, operation: graph.Clone) -> Json:
    """ADD of a git repository: a layer with its files; returns {"DiffId", "Size"}."""
    from hyperbox.build.copying import Copier
    from hyperbox.build.tree import Root
    from hyperbox.build.workspace import Workspace

    work = Workspace(store)
    try:
        root = work.begin(())
        folder = work.path("git")
        os.mkdir(folder, 0o700)
        found = clone(
            operation.url,
            operation.reference,
            operation.subfolder,
            folder,
            keep_git_dir=operation.keep_git_dir,
            commit=operation.checksum,
        )
        source = Root(found)
        copier = Copier(root, (0, 0), "", None, owned=False)
        for match in source.matches("/"):
            copier.match(source, match, "/")
            match.close()
        copier.finish()
        return work.keep(lease)
    finally:
        work.close()
