# The demo in a container: trains, tests and draws in some minutes; the report goes to /runs/demo.
#
#   docker build -t softmachine .
#   docker run --rm -v "$PWD/runs:/runs" softmachine
#
# Any other command: docker run --rm softmachine softmachine zoo
FROM python:3.11-slim
WORKDIR /src
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY softmachine softmachine
RUN pip install --no-cache-dir . && useradd --create-home softmachine && \
    mkdir /runs && chown softmachine /runs
USER softmachine
WORKDIR /
VOLUME /runs
CMD ["sh", "-euc", "\
    rm -rf /runs/demo; \
    softmachine train ntm-copy --run /runs/demo; \
    softmachine evaluate /runs/demo --sizes 20 40 80 120; \
    softmachine plot /runs/demo --size 40; \
    softmachine report /runs/demo"]
