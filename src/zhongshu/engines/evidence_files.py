"""Evidence as files: `<folder>/ab/<sha256>`, on disk with its folder's name before anyone is told it is kept.

The kind of a file is found in its bytes. It knows no case: who may see what is decided elsewhere.
"""

import hashlib
import io
import os
import re
import threading
from pathlib import Path

from PIL import Image, ImageOps

from zhongshu.engines.camera import camera
from zhongshu.engines.durable import sync_folder
from zhongshu.kernel.evidence import Evidence
from zhongshu.kernel.problem import declare
from zhongshu.kernel.reason import why

MAX_BYTES = 12 * 1024 * 1024
MAX_PIXELS = 64_000_000
"""An image that unfolds to more pixels than this is refused."""

TOO_LARGE = declare(
    "evidence.too_large",
    "too_large",
    zh=("文件有 {size} 字节，超过 {most} 字节的上限。", "请压缩图片后再传。"),
    en=("The file has {size} bytes; at most {most} are taken.", "Send a smaller picture."),
)
BAD_TYPE = declare(
    "evidence.bad_type",
    "foreign_media",
    zh=("只接受 JPEG、PNG、WebP 图片和 PDF 文件。", "请换一种格式再传。"),
    en=("Only JPEG, PNG and WebP pictures and PDF files are taken.", "Send it in another format."),
)
BROKEN = declare(
    "evidence.broken",
    "invalid",
    zh=("这个文件打不开：{why_zh}。", "请重新拍照或重新导出后再传。"),
    en=("The file cannot be opened: {why_en}.", "Take or export it again, and send that."),
)
UNKNOWN = declare(
    "evidence.unknown",
    "unknown",
    zh=("没有摘要为 {sha256} 的证据。", "请先上传文件，再在环节中引用。"),
    en=("There is no evidence {sha256}.", "Upload the file first, then name it in the step."),
)
DAMAGED = declare(
    "evidence.damaged",
    "unavailable",
    zh=("证据 {sha256} 的内容已与其摘要不符。", "请从备份恢复该文件。"),
    en=("Evidence {sha256} no longer matches its hash.", "Restore the file from a backup."),
)
NOT_PUBLIC = declare(
    "evidence.no_public_copy",
    "refused",
    zh=("{content_type} 文件没有公开副本。", "请提供图片，或由有权限的人员查看原件。"),
    en=("There is no public copy of a {content_type} file.", "Give a picture, or let someone with the right see the original."),
)

_SHA = re.compile(r"[0-9a-f]{64}")
_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}


class EvidenceFiles:
    """`zhongshu.kernel.evidence.EvidenceStore` in a folder. One process owns it."""

    def __init__(self, folder: str | Path) -> None:
        """Open or make the folder; what an interrupted upload left is removed."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        sync_folder(self.folder.parent)
        for left in self.folder.glob("*/*.part"):
            left.unlink(missing_ok=True)

    def put(self, content: bytes, size: int = 0) -> Evidence:
        """Keep bytes, durable on return. Raises `evidence.too_large`, `evidence.bad_type`, `evidence.broken`."""
        if (whole := max(size, len(content))) > MAX_BYTES:
            raise TOO_LARGE(size=whole, most=MAX_BYTES)
        content_type = sniff(content)
        _check(content, content_type)
        sha256 = hashlib.sha256(content).hexdigest()
        self._keep(self._path(sha256), content)
        return Evidence(sha256, content_type, len(content), *camera(content, content_type))

    def get(self, sha256: str) -> bytes:
        """Return the bytes as they came. Raises `evidence.unknown`, `evidence.damaged`."""
        path = self._path(sha256)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise UNKNOWN(sha256=sha256) from None
        if hashlib.sha256(content).hexdigest() != sha256:
            raise DAMAGED(sha256=sha256)
        return content

    def find(self, sha256: str) -> Evidence:
        """Return what is known of a kept file. Raises as `get` does."""
        content = self.get(sha256)
        content_type = sniff(content)
        return Evidence(sha256, content_type, len(content), *camera(content, content_type))

    def public(self, sha256: str) -> tuple[str, bytes]:
        """Return (content type, bytes) of a copy for the public: the picture alone, upright, without place, device or any other remark."""
        content = self.get(sha256)
        content_type = sniff(content)
        if content_type not in _FORMATS:
            raise NOT_PUBLIC(content_type=content_type)
        with Image.open(io.BytesIO(content)) as image:
            upright = ImageOps.exif_transpose(image)
            bare = Image.new(upright.mode, upright.size)
            bare.paste(upright)
            if upright.mode == "P":
                bare.putpalette(upright.palette or [])
        out = io.BytesIO()
        bare.save(out, format=_FORMATS[content_type], quality=88)
        return content_type, out.getvalue()

    def verify(self) -> list[str]:
        """Read every file and return what is not whole, one sentence each."""
        found = []
        for path in sorted(self.folder.rglob("*")):
            if path.is_dir() or path.suffix == ".part":
                continue
            if not _SHA.fullmatch(path.name) or path.parent.name != path.name[:2]:
                found.append(f"证据目录里有无关文件 {path.name} · {path.name} does not belong among the evidence.")
            elif hashlib.sha256(path.read_bytes()).hexdigest() != path.name:
                found.append(f"证据 {path.name} 的内容与摘要不符 · evidence {path.name} does not match its hash.")
        return found

    def _path(self, sha256: str) -> Path:
        if not _SHA.fullmatch(sha256):
            raise UNKNOWN(sha256=sha256)
        return self.folder / sha256[:2] / sha256

    def _keep(self, path: Path, content: bytes) -> None:
        if not path.parent.is_dir():
            path.parent.mkdir(exist_ok=True)
            sync_folder(self.folder)
        part = path.with_name(f"{path.name}.{threading.get_ident()}.part")
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)


def sniff(content: bytes) -> str:
    """Return the content type that the bytes themselves show. Raises `evidence.bad_type`."""
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content.startswith(b"%PDF-"):
        return "application/pdf"
    raise BAD_TYPE()


def _check(content: bytes, content_type: str) -> None:
    """Refuse what does not open to its end, and what unfolds to more than a picture can be."""
    if content_type == "application/pdf":
        if b"%%EOF" not in content[-2048:]:
            raise BROKEN(why_zh="PDF 没有结尾", why_en="the PDF has no end")
        return
    try:
        with Image.open(io.BytesIO(content), formats=[_FORMATS[content_type]]) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise BROKEN(why_zh=f"图片太大：{width}×{height} 超过 {MAX_PIXELS} 像素", why_en=f"it is too large: {width}×{height} is more than {MAX_PIXELS} pixels")
            image.draft("RGB", (max(width // 8, 1), max(height // 8, 1)))
            image.load()
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BROKEN(**why(error)) from error
