"""`python -m sidecar` is `tillit`."""

from sidecar.cli import main

raise SystemExit(main())
