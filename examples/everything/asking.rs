//! Tools that ask their client: its user, its model, its roots.

use mcp_runtime::prelude::*;
use mcp_runtime::{AskError, Elicited, Sampled, SamplingRequest};

/// Who the user is.
#[data(input)]
pub(crate) struct UserName {
    /// Your name.
    pub(crate) name: String,
}

/// What the model wrote, as the suite wants to read it.
fn written(sampled: &Sampled) -> String {
    format!("LLM response: {}", sampled.text())
}

/// Samples from the client's model.
#[tool]
async fn test_sampling(prompt: String, ctx: Context) -> Result<String, ToolError> {
    let request = SamplingRequest::new(prompt).max_tokens(100);
    Ok(written(&ctx.sample(request).await?))
}

/// What a user fills in.
#[data]
struct Account {
    /// Your name on this system.
    username: String,
    /// Where to write to.
    email: String,
}

/// How a form was answered, as text.
fn told<T: serde::Serialize>(prefix: &str, answer: Elicited<T>) -> Result<String, ToolError> {
    let (action, content) = match answer {
        Elicited::Accepted(content) => ("accept", serde_json::to_string(&content)?),
        Elicited::Declined => ("decline", "{}".to_owned()),
        _ => ("cancel", "{}".to_owned()),
    };
    Ok(format!("{prefix}: action={action}, content={content}"))
}

/// Asks the user to fill in a form.
#[tool]
async fn test_elicitation(message: String, ctx: Context) -> Result<String, ToolError> {
    told("User response", ctx.elicit::<Account>(message).await?)
}

/// Asks the user to open a page.
#[tool]
async fn test_elicitation_url(ctx: Context) -> Result<String, ToolError> {
    let question = ctx.elicit_url("Please confirm in your browser", "https://example.com/confirm");
    told("User response", question.named("page").await?)
}

/// Whether somebody is there.
#[data]
#[serde(rename_all = "lowercase")]
enum Status {
    Active,
    Inactive,
    Pending,
}

/// A form in which everything is filled in already.
#[data]
struct Defaults {
    #[arg(default = "John Doe")]
    name: String,
    #[arg(default = 30)]
    age: i64,
    #[arg(default = 95.5)]
    score: f64,
    #[arg(default = Status::Active)]
    status: Status,
    #[arg(default = true)]
    verified: bool,
}

/// Asks with a form that has defaults.
#[tool]
async fn test_elicitation_sep1034_defaults(ctx: Context) -> Result<String, ToolError> {
    told("Elicitation completed", ctx.elicit::<Defaults>("Please review these values").await?)
}

/// Choices without titles.
#[data]
#[serde(rename_all = "lowercase")]
enum Untitled {
    Option1,
    Option2,
    Option3,
}

/// Choices with titles.
#[data]
#[serde(rename_all = "lowercase")]
enum Titled {
    /// The first one
    Value1,
    /// The second one
    Value2,
    /// The third one
    Value3,
}

/// Choices as older clients know them.
#[data]
#[serde(rename_all = "lowercase")]
#[schemars(extend("enumNames" = ["Option one", "Option two", "Option three"]))]
enum Legacy {
    Opt1,
    Opt2,
    Opt3,
}

/// A form of choices.
#[data]
#[serde(rename_all = "camelCase")]
struct Choices {
    untitled_single: Option<Untitled>,
    titled_single: Option<Titled>,
    legacy_enum: Option<Legacy>,
    untitled_multi: Option<Vec<Untitled>>,
    titled_multi: Option<Vec<Titled>>,
}

/// Asks with a form of choices.
#[tool]
async fn test_elicitation_sep1330_enums(ctx: Context) -> Result<String, ToolError> {
    told("Elicitation completed", ctx.elicit::<Choices>("Please choose").await?)
}

/// Asks for a name.
#[tool]
async fn test_input_required_result_elicitation(ctx: Context) -> Result<String, ToolError> {
    // A name is the same whenever it is told; so the client may tell it with its first request.
    let question = ctx.elicit::<UserName>("What is your name?").named("user_name").or_told_before();
    Ok(format!("Hello, {}!", question.await?.accepted()?.name))
}

/// Has the client's model answer a question.
#[tool]
async fn test_input_required_result_sampling(ctx: Context) -> Result<String, ToolError> {
    let request = SamplingRequest::new("What is the capital of France?").max_tokens(100);
    Ok(written(&ctx.sample(request).named("capital_question").await?))
}

/// Asks which roots there are.
#[tool]
async fn test_input_required_result_list_roots(ctx: Context) -> Result<String, ToolError> {
    let roots = ctx.roots().named("client_roots").await?;
    Ok(roots.into_iter().map(|root| root.uri).collect::<Vec<_>>().join(", "))
}

/// Yes or no.
#[data(input)]
struct Confirmation {
    ok: bool,
}

/// Asks, and finds its state again.
#[tool]
async fn test_input_required_result_request_state(ctx: Context) -> Result<String, ToolError> {
    let remembered = ctx.step("remember", async || Ok::<_, ToolError>("state-ok".to_owned())).await?;
    let Confirmation { ok } = ctx.elicit::<Confirmation>("Please confirm").named("confirm").await?.accepted()?;
    Ok(format!("{remembered}, confirmed: {ok}"))
}

/// Asks three things at once.
#[tool]
async fn test_input_required_result_multiple_inputs(ctx: Context) -> Result<String, ToolError> {
    let (name, greeting, roots) = tokio::try_join!(
        ctx.elicit::<UserName>("What is your name?").named("user_name"),
        ctx.sample(SamplingRequest::new("Generate a greeting").max_tokens(50)).named("greeting"),
        ctx.roots().named("client_roots"),
    )?;
    Ok(format!("{} {}, from {} roots", greeting.text(), name.accepted()?.name, roots.len()))
}

/// A color.
#[data(input)]
struct Color {
    color: String,
}

/// Asks one thing after the other.
#[tool]
async fn test_input_required_result_multi_round(ctx: Context) -> Result<String, ToolError> {
    let UserName { name } = ctx.elicit::<UserName>("Step 1: What is your name?").named("step1").await?.accepted()?;
    let question = ctx.elicit::<Color>(format!("Step 2: What is your favourite color, {name}?")).named("step2");
    let Color { color } = question.await?.accepted()?;
    Ok(format!("{name} likes {color}."))
}

/// Asks; a client that changes the state it was given is refused.
#[tool]
async fn test_input_required_result_tampered_state(ctx: Context) -> Result<String, ToolError> {
    let Confirmation { ok } = ctx.elicit::<Confirmation>("Please confirm").named("confirm").await?.accepted()?;
    Ok(format!("confirmed: {ok}"))
}

/// Asks what the client can be asked, and nothing else.
#[tool]
async fn test_input_required_result_capabilities(ctx: Context) -> Result<String, ToolError> {
    let name = async {
        if !ctx.client_can(Capability::Elicitation) {
            return Ok(None);
        }
        ctx.elicit::<UserName>("What is your name?").named("user_name").await.map(|answer| answer.accepted().ok())
    };
    let greeting = async {
        if !ctx.client_can(Capability::Sampling) {
            return Ok::<_, AskError>(None);
        }
        ctx.sample("Generate a greeting").named("greeting").await.map(Some)
    };
    let (name, greeting) = tokio::try_join!(name, greeting)?;
    Ok(format!("{:?} {:?}", name.map(|name| name.name), greeting.map(|greeting| greeting.text())))
}
