/// Review a piece of code.
#[prompt(title = "Review")]
fn review(
    /// What to review.
    code: String,
    #[complete(["rust", "python"])] language: Option<String>,
) -> Vec<Message> {
    vec![Message::user(code)]
}

/// By one struct.
#[prompt(blocking)]
fn from_struct(Args(query): Args<Query>) -> String {
    query.text
}
