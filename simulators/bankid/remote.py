"""Starts the simulator as a process of its own and presses its phone's buttons, for tests and demonstrations."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

_ROOT = Path(__file__).resolve().parents[2]


@dataclass
class RemoteBankId:
    """A running simulator. directory: where its certificates lie."""

    process: subprocess.Popen[str]
    directory: Path
    api_port: int
    phone_port: int

    @classmethod
    def launch(cls, directory: Path, *more: str) -> "RemoteBankId":
        """Start on free ports and wait until it is ready. Raises RuntimeError when it ends instead."""
        command = [sys.executable, "-m", "simulators.bankid", "--dir", str(directory)]
        process = subprocess.Popen(
            [*command, "--port", "0", "--phone-port", "0", *more],
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            process.kill()
            raise RuntimeError(f"the simulator ended with {process.wait()}")
        ports = json.loads((directory / "ports.json").read_text("utf-8"))
        return cls(process, directory, ports["api"], ports["phone"])

    @property
    def phone_url(self) -> str:
        return f"http://127.0.0.1:{self.phone_port}"

    @property
    def api_url(self) -> str:
        return f"https://127.0.0.1:{self.api_port}/rp/v6.0/"

    def plugin_settings(self, **more: Any) -> dict[str, Any]:
        """Return the table [plugins.bankid] that makes the plugin use this simulator."""
        return {
            "url": self.api_url,
            "client_cert": str(self.directory / "rp.pem"),
            "client_key": str(self.directory / "rp-key.pem"),
            "ca_file": str(self.directory / "server-ca.pem"),
            "signature_root_file": str(self.directory / "signature-root.pem"),
            "policy_oids": ["1.2.3.4.25"],
            "app_link": f"{self.phone_url}/",
            **more,
        }

    def phone(self, act: str, **body: Any) -> dict[str, Any]:
        """Press a button: "scan", "open", "read", "approve", "faults", "clock", ... Raises RuntimeError."""
        response = self._ask("POST", act, json=body)
        answer: dict[str, Any] = response.json()
        if not response.ok:
            raise RuntimeError(answer["error"])
        return answer

    def orders(self) -> list[dict[str, Any]]:
        """Return all orders, the newest first."""
        found: list[dict[str, Any]] = self._ask("GET", "orders").json()["orders"]
        return found

    def calls(self) -> dict[str, int]:
        """Return how often each endpoint was called since the last reset."""
        found: dict[str, int] = self._ask("GET", "calls").json()
        return found

    def _ask(self, method: str, act: str, **more: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False  # no proxy stands between this machine and itself
            return session.request(method, f"{self.phone_url}/phone/{act}", timeout=20, **more)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)
        if self.process.stdout is not None:
            self.process.stdout.close()
