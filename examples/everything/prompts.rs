//! Prompts: plain, with arguments, with other content than text, and one that asks its user.

use mcp_runtime::prelude::*;

/// A prompt without arguments.
#[prompt]
fn test_simple_prompt() -> &'static str {
    "This is a simple prompt for testing."
}

/// A prompt with two arguments.
#[prompt]
fn test_prompt_with_arguments(
    /// The first argument.
    #[complete(["testValue1", "testValue2"])]
    arg1: String,
    /// The second argument.
    arg2: String,
) -> String {
    format!("Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")
}

/// A prompt with a resource in it.
#[prompt]
fn test_prompt_with_embedded_resource(
    /// The resource's URI.
    #[arg(name = "resourceUri")]
    resource_uri: String,
) -> [Message; 2] {
    let resource = EmbeddedResource::text(resource_uri, "Embedded resource content for testing.").mime_type("text/plain");
    [Message::user(resource), Message::user("Please process the embedded resource above.")]
}

/// A prompt with a picture in it.
#[prompt]
fn test_prompt_with_image() -> [Message; 2] {
    [Message::user(Image::png(crate::PNG)), Message::user("Please analyze the image above.")]
}

/// What the prompt is about.
#[data(input)]
struct Subject {
    /// What do you want to talk about?
    context: String,
}

/// A prompt that asks what it shall be about.
#[prompt]
async fn test_input_required_result_prompt(ctx: Context) -> Result<String, ToolError> {
    let question = ctx.elicit::<Subject>("What context should the prompt use?").named("user_context");
    let Subject { context } = question.await?.accepted()?;
    Ok(format!("Use this context: {context}"))
}
