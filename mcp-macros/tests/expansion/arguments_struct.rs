/// Finds things.
#[tool]
async fn search(Args(query): Args<Query>, State(index): State<Index>) -> Vec<Content> {
    index.find(query).await
}
