# syntax=docker/dockerfile:1
# What the staff's servers run in: the grader, the solutions and the hidden suites. Keep the image in a
# private registry. From the project's root:
#     docker build -f hub/kubernetes/grader.Dockerfile -t sft2rl-grader .
FROM debian:12.11-slim

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV LANG=C.UTF-8 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        bubblewrap ca-certificates git libseccomp2 python3-venv \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /srv/sft2rl/project
COPY requirements.txt requirements.lock ./
COPY hub/requirements.txt hub-requirements.txt
RUN sed '/^# development/,$d' requirements.txt > staff.txt \
    && grep -v '^jupyterhub==' hub-requirements.txt > hub.txt \
    && python3.11 -m venv /srv/sft2rl/staff \
    && /srv/sft2rl/staff/bin/pip install -c requirements.lock torch==2.13.0 \
    && /srv/sft2rl/staff/bin/pip install -c requirements.lock -r staff.txt -r hub.txt \
        jupyterhub==5.5.0 setuptools==84.2.1

COPY course.toml ./
COPY assignments assignments
COPY solutions solutions
COPY shared shared
COPY autograder autograder
RUN /srv/sft2rl/staff/bin/pip install --no-deps --no-build-isolation -e shared -e autograder
COPY hub/etc/course /srv/sft2rl/etc/course
COPY hub/kubernetes/staff-server.sh /usr/local/bin/staff-server

ENV PATH=/srv/sft2rl/staff/bin:/usr/local/bin:/usr/bin:/bin \
    JUPYTER_CONFIG_PATH=/srv/sft2rl/etc/course \
    COURSE_DIR=/srv/sft2rl/course \
    HOME=/home/jovyan
RUN useradd -m -u 1000 -g 100 jovyan
USER 1000
WORKDIR /srv/sft2rl/course
CMD ["staff-server"]
