"""Where the time of one request goes: the web application called in process, under the standard profiler."""

import cProfile
import pstats
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks._seeded_bank import HOST, Visitor
from sidecar.bootstrap import build
from sidecar.settings import load_settings
from sidecar.web.app import create_app

_REQUESTS = 400


def profile(settings: Path, visitors: Sequence[Visitor]) -> None:
    """Mint tokens through the application without HTTP around it, and print what took the time."""
    app = create_app(build(load_settings(settings)))

    def mint(count: int) -> None:
        for number in range(count):
            visitor = visitors[number % len(visitors)]
            client = app.test_client(use_cookies=False)
            answer = client.post(
                f"/v/{visitor.place}/room/token",
                json={},
                headers={
                    "Host": HOST,
                    "Cookie": f"tillit_visit={visitor.cookie}",
                    "X-Tillit-CSRF": visitor.csrf,
                    "Accept-Language": "sv-SE,sv;q=0.9",
                },
            )
            assert answer.status_code == 200, answer.data

    mint(len(visitors))
    began, used = time.perf_counter(), time.process_time()
    mint(_REQUESTS)
    wall, cpu = time.perf_counter() - began, time.process_time() - used
    print(f"{wall / _REQUESTS * 1000:.2f} ms a request, of it {cpu / _REQUESTS * 1000:.2f} ms on the processor")
    profiler = cProfile.Profile()
    profiler.runcall(mint, _REQUESTS)
    pstats.Stats(profiler).sort_stats("cumulative").print_stats("sidecar", 60)
