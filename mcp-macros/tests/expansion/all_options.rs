/// Forgets everything.
#[cfg(feature = "danger")]
#[tool(
    name = "admin.forget",
    title = "Forget",
    read_only = false,
    destructive,
    idempotent,
    open_world = false,
    tags("admin", "danger"),
    scopes("admin:forget"),
    hidden,
    requires(elicitation, elicitation_url, sampling, roots),
    timeout = "250ms",
    max_result_bytes = 65_536,
    icons("https://example.com/forget.png"),
    meta("com.example/level" = 3, "com.example/owner" = "ops \"A\"", "ratio" = -0.5, "on" = true),
)]
async fn forget() {}
