"""A package index in a folder: wheels of two lines, made here."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

from services.inference.environments.families import Family


def wheel(folder: Path, name: str, version: str, code: str = "", filler_bytes: int = 0) -> Path:
    """Write a wheel of one module, with incompressible bytes beside it if asked for."""
    files = {f"{name}/__init__.py": f'VERSION = "{version}"\n{code}\n'.encode()}
    if filler_bytes:
        blocks = range(filler_bytes // 32)
        files[f"{name}/filler.bin"] = b"".join(
            hashlib.sha256(str(block).encode()).digest() for block in blocks
        )
    info = f"{name}-{version}.dist-info"
    files[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    )
    files[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    rows = [f"{path},sha256={_digest(content)},{len(content)}" for path, content in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]).encode() + b"\n"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name_, content in files.items():
            archive.writestr(name_, content)
    return path


def _digest(content: bytes) -> str:
    digest = hashlib.sha256(content).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def family(folder: Path, name: str, *pins: str, imports: tuple[str, ...] = ()) -> Family:
    """Write a lock and return the family that it makes."""
    lock = folder / f"{name}.txt"
    lock.write_text("\n".join(["# pins", *pins]) + "\n")
    return Family(name, lock, (name, f"{name}-engine"), imports, {})
