# syntax=docker/dockerfile:1
# What students' servers run in: public packages and sft2rl. From the project's root:
#     docker build -f hub/kubernetes/student.Dockerfile -t sft2rl-student .
FROM debian:12.11-slim

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV LANG=C.UTF-8 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates git python3-venv \
    && rm -rf /var/lib/apt/lists/*

# The hub of the chart is JupyterHub 5.5: a server has its hub's version.
WORKDIR /build
COPY requirements.txt requirements.lock ./
COPY hub/requirements.txt hub-requirements.txt
RUN sed -n '/^# students/,/^$/p' requirements.txt > students.txt \
    && grep -v '^jupyterhub==' hub-requirements.txt > hub.txt \
    && python3.11 -m venv /srv/sft2rl/student \
    && /srv/sft2rl/student/bin/pip install -c requirements.lock torch==2.13.0 \
    && /srv/sft2rl/student/bin/pip install -c requirements.lock -r students.txt -r hub.txt \
        jupyterhub==5.5.0 setuptools==84.2.1

COPY shared shared
RUN /srv/sft2rl/student/bin/pip install --no-deps --no-build-isolation ./shared && rm -rf /build
COPY hub/etc/student /srv/sft2rl/etc/student

ENV PATH=/srv/sft2rl/student/bin:/usr/local/bin:/usr/bin:/bin \
    JUPYTER_CONFIG_PATH=/srv/sft2rl/etc/student \
    HOME=/home/jovyan
RUN useradd -m -u 1000 -g 100 jovyan
USER 1000
WORKDIR /home/jovyan
CMD ["jupyterhub-singleuser"]
