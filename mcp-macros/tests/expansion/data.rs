/// What to look for.
#[derive(Debug)]
#[data]
#[serde(rename_all = "camelCase")]
pub struct Query {
    /// Words.
    pub text: String,
    #[arg(default = 10, header = "Limit")]
    pub limit: u32,
    #[arg(default, name = "from")]
    pub start: Option<u64>,
}

#[data(output)]
enum Answer {
    None,
    Some {
        #[arg(default = "x")]
        text: String,
    },
}

#[data(input, crate = crate::mcp)]
struct Id(u64);
