/// Hashes a text slowly.
#[tool(blocking)]
pub(crate) fn hash(text: String, salt: State<Salt>) -> String {
    slow_hash(&text, &salt)
}
