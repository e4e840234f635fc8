# Build with `docker build -t rolloutbot .`. Everything that is installed is named, with its hash, in requirements.lock;
# the bot's own packages are copied beside it, so that nothing has to be built.
#
# The base is named by its digest, so that every build starts from the same bytes. To take a newer one, with Debian's
# corrections: `docker buildx imagetools inspect python:3.11-slim`, and put the index's digest here.
ARG BASE=python:3.11-slim@sha256:9c900dea9e8fb7e16277c179b555cc72d29a352dbc33cff48ad5a0412fd5bfc7

FROM ${BASE} AS build

WORKDIR /src
RUN python -m venv /opt/rolloutbot
COPY requirements.lock ./
RUN /opt/rolloutbot/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --only-binary :all: \
        --require-hashes -r requirements.lock \
    && /opt/rolloutbot/bin/pip uninstall --yes pip setuptools
COPY bot /opt/rolloutbot/lib/python3.11/site-packages/bot
COPY handlers /opt/rolloutbot/lib/python3.11/site-packages/handlers
COPY k8s /opt/rolloutbot/lib/python3.11/site-packages/k8s
RUN printf '%s\n' '#!/opt/rolloutbot/bin/python' 'from bot.__main__ import app' 'app()' \
        > /opt/rolloutbot/bin/rolloutbot \
    && chmod 755 /opt/rolloutbot/bin/rolloutbot \
    && /opt/rolloutbot/bin/python -m compileall -q /opt/rolloutbot/lib

FROM ${BASE}

LABEL org.opencontainers.image.title="rolloutbot" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/rolloutbot /opt/rolloutbot
COPY LICENSE /opt/rolloutbot/
ENV PATH=/opt/rolloutbot/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 3000 3001
ENTRYPOINT ["rolloutbot"]
