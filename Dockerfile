# The HTTP API alone, as SageMaker runs a container of one's own: `docker run IMAGE serve`, port 8080,
# GET /ping, POST /invocations, models in /opt/ml/model
# (https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html).
#
#     docker build -t segue .
#     docker run --rm -p 8080:8080 -v "$PWD/FOLDER:/opt/ml/model:ro" segue
#
# FOLDER is a workspace of one dataset with its models, readable by everyone.
#
# And what the steps of the flow run in on a cluster (docs/hosting.md), where Metaflow brings `core`:
#
#     docker build --target train -t segue-train .
FROM python:3.13-slim-bookworm AS base

# LightGBM, the ranker, needs libgomp1.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin segue
WORKDIR /opt/segue
COPY requirements-serve.txt ./

FROM base AS train
COPY requirements.txt requirements-train.txt ./
RUN pip install --no-cache-dir --root-user-action=ignore -r requirements-train.txt \
    && install --directory --owner segue /home/segue
# Metaflow unpacks the code in the working directory, which is to be the user's.
WORKDIR /home/segue
ENV HOME=/home/segue \
    METAFLOW_SKIP_INSTALL_DEPENDENCIES=1 \
    PYTHONUNBUFFERED=1
USER segue

FROM base
RUN pip install --no-cache-dir --root-user-action=ignore -r requirements-serve.txt
COPY core core
RUN python -m compileall -q core

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SEGUE_HOST=0.0.0.0 \
    SEGUE_WORKSPACE=/opt/ml/model
USER segue
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s --retries=3 \
    CMD ["python", "-c", "from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({})).open('http://127.0.0.1:8080/ping', timeout=8)"]
ENTRYPOINT ["python", "-m", "core"]
CMD ["serve"]
