# Two stages: the first builds the single binary, the second holds it and the C library alone.
FROM node:24-bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY packages/verifier/package.json ./packages/verifier/
RUN npm ci
COPY packaging ./packaging
COPY scripts ./scripts
COPY src ./src
RUN npm run build:binary

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="postern" \
      org.opencontainers.image.description="A small headless authentication service" \
      org.opencontainers.image.licenses="MIT"
# TMPDIR: the program loads its native code from a file there, for a moment; the root may be read-only.
ENV POSTERN_SERVER_LISTEN=tcp://0.0.0.0:7400 \
    POSTERN_DATABASE_URL=file:/data/postern.db \
    TMPDIR=/data
COPY --from=build /build/dist/postern /usr/bin/postern
COPY LICENSE NOTICE /usr/share/doc/postern/
RUN install -d -m 0700 -o 7400 -g 7400 /data
USER 7400:7400
WORKDIR /data
VOLUME /data
EXPOSE 7400
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["/usr/bin/postern", "health"]
# Exec form: the process is PID 1 and handles SIGTERM itself.
ENTRYPOINT ["/usr/bin/postern"]
CMD ["serve"]
