# What the image stands on. `make image` names them by digest, and writes down which it took.
ARG BUILD_BASE=node:24-trixie-slim
ARG RUNTIME_BASE=gcr.io/distroless/nodejs24-debian13:nonroot

# The bundle is the same for every machine, so it is built on the one that builds.
FROM --platform=$BUILDPLATFORM $BUILD_BASE AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-fund --no-audit --loglevel=error
COPY scripts/build.ts scripts/notices.ts scripts/
COPY src src
RUN node scripts/build.ts && rm dist/*.map

# Node and what it links to; no shell, no package manager.
FROM --platform=$TARGETPLATFORM $RUNTIME_BASE
LABEL org.opencontainers.image.title="cccam-operator" \
      org.opencontainers.image.description="One address for several CCcam-protocol servers that never drops a viewer by accident." \
      org.opencontainers.image.licenses="Apache-2.0"
# What malloc keeps in an arena of each thread would be a tenth of an agent.
ENV MALLOC_ARENA_MAX=2
COPY --from=build /src/dist /app
USER 65532:65532
ENTRYPOINT ["/nodejs/bin/node", "--disable-warning=ExperimentalWarning", "/app/main.js"]
