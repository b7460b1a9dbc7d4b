"""What gunicorn serves: the application over the settings that TILLIT_SETTINGS names."""

import gc
import os

from sidecar.bootstrap import build
from sidecar.logs import configure_logging
from sidecar.settings import load_settings, settings_path
from sidecar.web.app import create_app

os.umask(0o077)  # what we write is for this user alone
_settings = load_settings(settings_path())
configure_logging(_settings.log.level.value)
app = create_app(build(_settings))

# What was built lives as long as the process: the collector need not walk through it again and again.
gc.collect()
gc.freeze()
