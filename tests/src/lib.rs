//! Integration tests live in `tests/`, runs against real clients in `live/`.
