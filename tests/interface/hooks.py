"""Bodies that are texts of their own kind: they are sent as they stand."""

import schemathesis


@schemathesis.serializer("application/toml", "application/jsonl", "application/x-ndjson", "image/avif", "image/heic")
def as_it_stands(ctx, value):
    return value.encode(errors="replace") if isinstance(value, str) else repr(value).encode()
