# Two stages: the first builds the bundle and installs the two native addons, the second carries Node, the bundle and those alone.
FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY packages/verifier/package.json ./packages/verifier/
RUN npm ci
COPY scripts ./scripts
COPY src ./src
RUN npm run build && npm prune --omit=dev

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="postern" \
      org.opencontainers.image.description="A small headless authentication service" \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production \
    POSTERN_SERVER_LISTEN=tcp://0.0.0.0:7400 \
    POSTERN_DATABASE_URL=file:/data/postern.db
WORKDIR /app
COPY --from=build /build/dist ./dist
COPY --from=build /build/node_modules ./node_modules
COPY package.json LICENSE NOTICE ./
RUN mkdir -m 0700 /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 7400
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["node", "dist/postern.mjs", "health"]
# Exec form: the process is PID 1 and handles SIGTERM itself.
ENTRYPOINT ["node", "dist/postern.mjs"]
CMD ["serve"]
