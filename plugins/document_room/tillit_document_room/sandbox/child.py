"""The process that starts others, and what those do: wait for a socket, shut themselves in, answer until it closes.

The first process reads no stranger's byte. It loads the libraries once, and for each job or meeting it divides: the
new process limits itself, closes every way out, and only then is given the file. Dividing takes milliseconds, so a
file can have a process of its own.
"""

import codecs
import io
import os
import signal
import socket
from dataclasses import asdict
from typing import Any

from PIL import Image

from tillit_document_room.sandbox import lockdown
from tillit_document_room.sandbox.inspecting import inspect
from tillit_document_room.sandbox.limits import Limits
from tillit_document_room.sandbox.masks import Mask
from tillit_document_room.sandbox.pages import Shown
from tillit_document_room.sandbox.pdf_clean import cleaned
from tillit_document_room.sandbox.refusals import UnsafeFileError
from tillit_document_room.sandbox.wire import BrokenWireError, frame, read_frame, write_all

_OPEN_FILES = 8
_KEPT_DOCUMENTS = 6


def nursery(descriptor: int) -> None:
    """Divide for each socket that comes over this one, answering with the new process's number, until it closes."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries them
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _warm()
    with socket.socket(fileno=descriptor) as parent:
        parent.sendall(b"ready\n")
        while True:
            _, received, _, _ = socket.recv_fds(parent, 1, 1)
            if not received:
                os._exit(0)
            number = os.fork()
            if number == 0:
                parent.close()
                _live(received[0])
            os.close(received[0])
            parent.sendall(f"{number}\n".encode())


def _live(descriptor: int) -> None:
    """Be the divided process. Never returns."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        header, _ = read_frame(lambda size: os.read(descriptor, size), payload_bytes=0)
        limits = Limits(**header["limits"])
        lockdown.limit(memory_bytes=limits.memory_bytes, open_files=_OPEN_FILES)
        is_shut = lockdown.shut()
        write_all(descriptor, frame({"shut": is_shut}))
        _answer(descriptor, limits)
    except BaseException:  # noqa: S110 - the process ends either way, and the other side sees that
        pass
    finally:
        os._exit(0)


def _answer(descriptor: int, limits: Limits) -> None:
    documents: dict[str, Shown] = {}
    while True:
        try:
            job, payload = read_frame(lambda size: os.read(descriptor, size), payload_bytes=limits.file_bytes * 2)
        except BrokenWireError:
            return
        lockdown.allow_cpu(limits.cpu_s)
        try:
            answer, data = _do(job, payload, limits, documents)
        except UnsafeFileError as error:
            answer, data = {"refused": error.reason, "detail": error.detail}, b""
        except MemoryError:
            answer, data = {"refused": "bomb", "detail": "memory"}, b""
        except RecursionError:
            answer, data = {"refused": "nesting", "detail": "recursion"}, b""
        except Exception as error:  # the outermost loop: whatever a library raises refuses this file and no other
            answer, data = {"refused": "broken", "detail": type(error).__name__}, b""
        write_all(descriptor, frame(answer, data))


def _do(
    job: dict[str, Any], payload: bytes, limits: Limits, documents: dict[str, Shown]
) -> tuple[dict[str, Any], bytes]:
    task = job["do"]
    if task == "inspect":
        found = inspect(payload, limits, keep_bytes=bool(job["keep_bytes"]))
        kept = found.pdf if found.pdf is not None and found.pdf != payload else b""
        facts = asdict(found) | {"pdf": None, "is_pdf": found.pdf is not None}
        return facts, kept
    if task == "open":
        while len(documents) >= _KEPT_DOCUMENTS:
            documents.pop(next(iter(documents)))
        documents[job["key"]] = Shown(payload)
        return {}, b""
    document = documents.get(job["key"])
    if document is None:
        return {"unknown": True}, b""
    masks = [Mask(**each) for each in job.get("masks", ())]
    if task == "page":
        return {}, document.page(
            job["page"], dpi=job["dpi"], longest=limits.page_pixels, masks=masks, mark=str(job["mark"])
        )
    if task == "text":
        return {"text": document.text(job["page"], masks)}, b""
    if task == "find":
        return {"masks": [asdict(each) for each in document.find(job["value"])], "wordless": document.wordless()}, b""
    raise UnsafeFileError("broken", "no such task")


def _warm() -> None:
    """Do once what loads code or opens files, since afterwards neither is possible."""
    Image.init()
    for codec in ("cp437", "latin-1", "utf-16", "utf-16-be", "utf-16-le", "cp1252", "mac-roman", "idna"):
        codecs.lookup(codec)
    limits = Limits()
    for kind in ("PNG", "JPEG", "TIFF"):
        out = io.BytesIO()
        Image.new("RGB", (8, 8), "white").save(out, kind)
        found = inspect(out.getvalue(), limits)
    assert found.pdf is not None
    cleaned(found.pdf, limits)
    shown = Shown(found.pdf)
    shown.page(1, dpi=72, longest=400, masks=[Mask(1, 0.1, 0.1, 0.2, 0.2, "x")], mark="\u00c5")
    shown.text(1, [])
