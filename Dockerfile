# One image for web and worker. Nothing of the tests, the simulators or the development lock is in it.
FROM python:3.11.15-slim AS build
WORKDIR /opt/tillit
RUN python -m venv .venv
COPY requirements/runtime.txt requirements/
RUN .venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md ./
COPY sidecar sidecar
COPY plugins plugins
RUN for package in . plugins/*/; do \
      case "$package" in .) ;; *) [ -f "$package/pyproject.toml" ] || continue; rm -rf "$package/tests" ;; esac; \
      .venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation -e "$package"; \
    done

FROM python:3.11.15-slim
LABEL org.opencontainers.image.title="Tillit sidecar"
RUN useradd --uid 1000 --no-create-home --shell /usr/sbin/nologin tillit
WORKDIR /opt/tillit
COPY --from=build /opt/tillit /opt/tillit
COPY jitsi-config jitsi-config
ENV PATH=/opt/tillit/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 TILLIT_SETTINGS=/etc/tillit/tillit.toml
USER 1000:1000
EXPOSE 8080
CMD ["tillit", "web"]
