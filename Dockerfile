# syntax=docker/dockerfile:1
# The image of Runlane: the `runlane` command, for one process or for several (docker-compose.yml; docs/deployment.md).

FROM node:20-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc tsconfig.base.json ./
COPY sdk-ts sdk-ts
COPY services services
COPY examples examples
COPY testing-kit/package.json testing-kit/package.json
COPY bench/package.json bench/package.json
COPY test/package.json test/package.json
# Only what the command and the examples need; with the compiler first, without it in the end.
RUN npm ci --ignore-scripts --workspace services/server --workspace examples --include-workspace-root
RUN npx tsc -b services/server
RUN npm prune --omit=dev --ignore-scripts --workspace services/server --workspace examples --include-workspace-root

# The tag is a whole version: 2.14.4 is the oldest that will do, and a moving tag may stand for an older one where it was pulled before. The same as in docker-compose.yml.
FROM nats:2.14.5-alpine AS nats

FROM node:20-slim AS runlane
ENV NODE_ENV=production RUNLANE_LISTEN=0.0.0.0:7400 RUNLANE_HTTP_LISTEN=0.0.0.0:7401
COPY --from=nats /usr/local/bin/nats-server /usr/local/bin/nats-server
COPY --from=build /src/node_modules /runlane/node_modules
COPY --from=build /src/services /runlane/services
COPY --from=build /src/sdk-ts /runlane/sdk-ts
RUN ln -s /runlane/services/server/bin/runlane.js /usr/local/bin/runlane && mkdir /data && chown node:node /data
USER node
WORKDIR /data
VOLUME /data
EXPOSE 7400 7401
# Ready, not merely alive; nobody restarts a container for it, and `depends_on: condition: service_healthy` waits for it.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s CMD ["node", "-e", "fetch('http://127.0.0.1:7401/readyz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["runlane"]
CMD ["server", "--data", "/data"]

# A worker with the example tasks. Yours has your code in place of them, and @runlane/sdk from the registry.
FROM runlane AS example-worker
COPY --from=build --chown=node:node /src/examples /runlane/examples
WORKDIR /runlane/examples
# What serves has a health page; a worker says by its session that it lives.
HEALTHCHECK NONE
CMD ["worker", "trigger"]

# Without --target, the image is the server's.
FROM runlane
