"""Reading a tar stream entry by entry: ustar, pax, GNU (long names, sparse files), v7. Opens and writes nothing.

Written for speed, for layers have 100,000 small files: a header is read straight from the chunk that holds it, contents are handed out as
views of the chunks. See pax(1) of POSIX.1-2017, "ustar Interchange Format", and the GNU tar manual, "Tar Internals". Errors have the words
of Go's archive/tar, which are docker's.
"""

from __future__ import annotations

from hyperbox.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Span = tuple[int, int]

BLOCK = 512
# the most that a long name, a pax header or a sparse map may have: Go's limit as well
MAXIMUM_SPECIAL = 1 << 20
MAXIMUM_SIZE = 1 << 62
REGULAR = b"\007"
HEADER_ONLY = "123456"
XATTR = "SCHILY.xattr."


class BadArchive(EngineError):
    """The stream is no tar archive, or is cut off or malformed."""


def bad_header() -> BadArchive:
    """Return the error for a header that can't be understood."""
    return BadArchive("archive/tar: invalid tar header")


class Chunks:
    """Bytes taken in any amounts from a stream that comes in chunks: `next_chunk` returns the next, b"" at the end."""

    __slots__ = ("_at", "_chunk", "_next", "_view")

    def __init__(self, next_chunk: Callable[[], bytes]) -> None:
        self._next = next_chunk
        self._chunk = b""
        self._view = memoryview(b"")
        self._at = 0

    def _refill(self) -> bool:
        self._chunk = self._next()
        self._view = memoryview(self._chunk)
        self._at = 0
        return bool(self._chunk)

    def block(self) -> bytes:
        """Return the next 512 bytes, b"" where the stream ends here. Raises BadArchive where it ends within."""
        at = self._at
        data = self._chunk[at : at + BLOCK]
        self._at = at + len(data)
        if len(data) == BLOCK:
            return data
        while len(data) < BLOCK:
            if not self._refill():
                if data:
                    raise BadArchive("unexpected EOF")
                return b""
            missing = BLOCK - len(data)
            data += self._chunk[:missing]
            self._at = min(missing, len(self._chunk))
        return data

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield the next `size` bytes as views, each valid until the next. Raises BadArchive where the stream ends before."""
        while size:
            if self._at >= len(self._chunk) and not self._refill():
                raise BadArchive("unexpected EOF")
            piece = self._view[self._at : self._at + size]
            self._at += len(piece)
            size -= len(piece)
            yield piece

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        return b"".join(self.pieces(size))

    def skip(self, size: int) -> None:
        """Pass over `size` bytes."""
        if self._at + size <= len(self._chunk):
            self._at += size
            return
        for _ in self.pieces(size):
            pass


class Entry:
    """One entry. `size` is that of the file's content; `kind` the header's type ("0" for every kind of regular file); times in nanoseconds.

    `spans` are the (offset, length) of a sparse file's data, None for an ordinary one.
    """

    __slots__ = (
        "device",
        "gid",
        "kind",
        "linkname",
        "mode",
        "mtime",
        "name",
        "size",
        "spans",
        "stored",
        "uid",
        "xattrs",
    )

    def __init__(self, header: bytes) -> None:
        kind = header[156:157]
        self.kind = "0" if kind in REGULAR else kind.decode("latin-1")
        self.name = text(header[:100])
        self.linkname = text(header[157:257])
        self.mode = number(header[100:108])
        self.uid = number(header[108:116])
        self.gid = number(header[116:124])
        self.size = self.stored = number(header[124:136])
        self.mtime = number(header[136:148]) * 10**9
        self.device = (0, 0)
        self.xattrs: dict[str, bytes] = {}
        self.spans: list[Span] | None = None
        if kind in b"34":
            self.device = (number(header[329:337]), number(header[337:345]))
        if header[257:263] == b"ustar\0" and header[345]:
            prefix = header[345:476] if header[508:512] == b"tar\0" else header[345:500]
            self.name = f"{text(prefix)}/{self.name}"
        if kind == b"\0" and self.name.endswith("/"):
            self.kind = "5"

    def isdir(self) -> bool:
        """Return whether it is a folder."""
        return self.kind == "5"

    def isreg(self) -> bool:
        """Return whether it is a regular file."""
        return self.kind == "0"

    def issym(self) -> bool:
        """Return whether it is a symbolic link."""
        return self.kind == "2"

    def islnk(self) -> bool:
        """Return whether it is a hard link to another entry."""
        return self.kind == "1"


def text(field: bytes) -> str:
    """Return a field's text up to its first NUL; bytes that are no UTF-8 stay what they are."""
    end = field.find(0)
    return (field if end < 0 else field[:end]).decode("utf-8", "surrogateescape")


def number(field: bytes) -> int:
    """Return a field's number: octal digits, or base 256 where the first bit is set. Raises BadArchive."""
    first = field[0]
    if first & 0x80:
        value = int.from_bytes(field, "big") & ((1 << (len(field) * 8 - 1)) - 1)
        return value - (1 << (len(field) * 8 - 1)) if first & 0x40 else value
    end = field.find(0)
    try:
        return int(field if end < 0 else field[:end], 8)
    except ValueError:
        if (field if end < 0 else field[:end]).strip():
            raise bad_header() from None
        return 0


def checked(header: bytes) -> None:
    """Raise BadArchive unless the header's checksum is right, of unsigned or (old programs) of signed bytes."""
    stated = number(header[148:156])
    total = sum(header) - sum(header[148:156]) + 8 * 32
    if total == stated:
        return
    rest = header[:148] + header[156:]
    if total - 256 * sum(byte > 127 for byte in rest) != stated:
        raise bad_header()


class TarReader:
    """Iterates over the entries of a tar stream; `content` gives the present entry's bytes, unread ones are passed over."""

    __slots__ = ("_chunks", "_left", "_padding")

    def __init__(self, next_chunk: Callable[[], bytes]) -> None:
        self._chunks = Chunks(next_chunk)
        self._left = 0
        self._padding = 0

    def __iter__(self) -> Iterator[Entry]:
        while (entry := self._next()) is not None:
            yield entry

    def _next(self) -> Entry | None:
        """Return the next entry with what the special headers before it say, or None at the end."""
        chunks = self._chunks
        long_name = long_link = ""
        records: list[tuple[str, bytes]] = []
        while True:
            if self._left or self._padding:
                chunks.skip(self._left + self._padding)
                self._left = self._padding = 0
            header = chunks.block()
            if not header or not header.strip(b"\0"):
                return None
            checked(header)
            entry = Entry(header)
            if entry.size < 0 or entry.size > MAXIMUM_SIZE:
                raise bad_header()
            if entry.kind in "xgLK":
                data = self._special(entry.size)
                if entry.kind == "x":
                    records = pax_records(data)
                elif entry.kind == "L":
                    long_name = text(data)
                elif entry.kind == "K":
                    long_link = text(data)
                continue
            entry.name = long_name or entry.name
            entry.linkname = long_link or entry.linkname
            if records:
                apply_records(entry, records)
            self._begin(entry, header, records)
            return entry

    def _special(self, size: int) -> bytes:
        if size > MAXIMUM_SPECIAL:
            raise BadArchive("archive/tar: header field too long")
        data = self._chunks.take(size)
        self._chunks.skip(-size % BLOCK)
        return data

    def _begin(self, entry: Entry, header: bytes, records: list[tuple[str, bytes]]) -> None:
        """Stand before the entry's content, its sparse map read."""
        if entry.kind in HEADER_ONLY:
            entry.size = entry.stored = 0
        self._left, self._padding = entry.stored, -entry.stored % BLOCK
        if entry.kind == "S":
            entry.kind = "0"
            entry.size = number(header[483:495])
            entry.spans = self._old_sparse(header)
        elif records and any(key.startswith("GNU.sparse.") for key, _ in records):
            self._pax_sparse(entry, records)
        if entry.spans is not None:
            check_spans(entry, self._left)

    def _old_sparse(self, header: bytes) -> list[Span]:
        """Return the map in an old GNU sparse header and the blocks after it."""
        spans: list[Span] = []
        block, start, count, more = header, 386, 4, header[482]
        while True:
            for at in range(start, start + count * 24, 24):
                if block[at]:
                    spans.append((number(block[at : at + 12]), number(block[at + 12 : at + 24])))
            if not more:
                return spans
            if len(spans) * 24 > MAXIMUM_SPECIAL:
                raise BadArchive("archive/tar: header field too long")
            block = self._chunks.block()
            if not block:
                raise BadArchive("unexpected EOF")
            start, count, more = 0, 21, block[504]

    def _pax_sparse(self, entry: Entry, records: list[tuple[str, bytes]]) -> None:
        """Read the map of the formats 0.0, 0.1 and 1.0."""
        found = dict(records)
        if "GNU.sparse.name" in found:
            entry.name = found["GNU.sparse.name"].decode("utf-8", "surrogateescape")
        real = found.get("GNU.sparse.realsize") or found.get("GNU.sparse.size")
        if "GNU.sparse.major" in found:
            numbers = self._sparse_numbers()
        elif "GNU.sparse.map" in found:
            numbers = [decimal(word) for word in found["GNU.sparse.map"].split(b",") if word]
        else:
            numbers = [decimal(value) for key, value in records if key in ("GNU.sparse.offset", "GNU.sparse.numbytes")]
        if real is None or len(numbers) % 2:
            raise bad_header()
        entry.size = decimal(real)
        entry.spans = list(zip(numbers[::2], numbers[1::2], strict=True))

    def _sparse_numbers(self) -> list[int]:
        """Return the numbers of a map in format 1.0, which stands before the data: decimal lines, the first says how many pairs follow."""
        lines: list[bytes] = []
        wanted, data = 1, b""
        while len(lines) < wanted:
            if self._left < BLOCK or len(lines) * 2 > MAXIMUM_SPECIAL:
                raise bad_header()
            data += self._chunks.block()
            self._left -= BLOCK
            *more, data = data.split(b"\n")
            lines += more
            if lines and wanted == 1:
                wanted = 1 + 2 * decimal(lines[0])
        return [decimal(line) for line in lines[1:wanted]]

    def content(self) -> Iterator[memoryview]:
        """Yield what the archive holds of the present entry, once; each view is valid until the next."""
        size, self._left = self._left, 0
        yield from self._chunks.pieces(size)

    def sparse_content(self, entry: Entry) -> Iterator[tuple[int, memoryview]]:
        """Yield (offset, data) of a sparse entry."""
        for offset, length in entry.spans or ():
            self._left -= length
            for piece in self._chunks.pieces(length):
                yield offset, piece
                offset += len(piece)


def decimal(data: bytes) -> int:
    """Return a decimal number that is not negative. Raises BadArchive."""
    if not data.isdigit() or len(data) > 19:
        raise bad_header()
    return int(data)


def check_spans(entry: Entry, stored: int) -> None:
    """Raise BadArchive unless a sparse entry's map is in order, within the file, and as long as what is stored."""
    end = total = 0
    for offset, length in entry.spans or ():
        if offset < end or offset + length > entry.size:
            raise bad_header()
        end = offset + length
        total += length
    if total != stored or entry.size > MAXIMUM_SIZE:
        raise bad_header()


def pax_records(data: bytes) -> list[tuple[str, bytes]]:
    """Return the records "LENGTH KEY=VALUE\\n" of a pax header in order. Raises BadArchive."""
    records = []
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + 20)
        digits = data[at:space]
        if space < 0 or not digits.isdigit():
            raise bad_header()
        end = at + int(digits)
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if end <= space + 1 or end > len(data) or data[end - 1] != 10 or not equals:
            raise bad_header()
        records.append((key.decode("utf-8", "surrogateescape"), value))
        at = end
    return records


def apply_records(entry: Entry, records: list[tuple[str, bytes]]) -> None:
    """Let the records of a pax header stand for what the entry's own header says; an empty value leaves that."""
    for key, value in records:
        if key.startswith(XATTR):
            entry.xattrs[key[len(XATTR) :]] = value
        elif not value:
            continue
        elif key == "path":
            entry.name = value.decode("utf-8", "surrogateescape")
        elif key == "linkpath":
            entry.linkname = value.decode("utf-8", "surrogateescape")
        elif key == "size":
            entry.size = entry.stored = decimal(value)
        elif key == "uid":
            entry.uid = decimal(value)
        elif key == "gid":
            entry.gid = decimal(value)
        elif key == "mtime":
            entry.mtime = nanoseconds(value)


def nanoseconds(value: bytes) -> int:
    """Return a pax time ("1700000000.25", perhaps negative) in nanoseconds. Raises BadArchive."""
    whole, _, fraction = value.partition(b".")
    sign = -1 if whole.startswith(b"-") else 1
    digits = whole.removeprefix(b"-")
    if not digits.isdigit() or len(digits) > 12 or (fraction and not fraction.isdigit()):
        raise bad_header()
    return sign * (int(digits) * 10**9 + int(fraction[:9].ljust(9, b"0")))
