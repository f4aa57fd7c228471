# A static binary in an image with nothing else but certificates. Build: docker build -t latchkey .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
COPY third_party third_party
RUN go mod download
COPY . .
ARG VERSION=unknown
ARG COMMIT=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$VERSION -X main.commit=$COMMIT" -o /latchkey ./cmd/latchkey \
 && install -d -o 65532 -g 65532 /data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /latchkey /latchkey
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
WORKDIR /data
ENV LATCHKEY_LISTEN=0.0.0.0:8000 LATCHKEY_SHUTDOWN_DELAY=5s
EXPOSE 8000
VOLUME /data
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/latchkey", "healthcheck"]
ENTRYPOINT ["/latchkey"]
CMD ["serve"]
