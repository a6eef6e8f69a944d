//! Tools that become tasks where the client takes tasks.

use std::time::Duration;

use mcp_runtime::prelude::*;

use super::asking::UserName;

/// Says hello, at once.
#[tool]
fn greet(name: String) -> String {
    format!("Hello, {name}!")
}

/// Computes for some seconds.
#[tool(task)]
async fn slow_compute(
    /// At most 60.
    #[arg(default)]
    #[schemars(range(min = 0.0, max = 60.0))]
    seconds: f64,
    label: Option<String>,
    ctx: Context,
) -> String {
    ctx.progress(0.0, seconds, "computing");
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    format!("Computed {} for {seconds} s.", label.as_deref().unwrap_or("something"))
}

/// Fails after a second; it can only run as a task.
#[tool(task = "required")]
async fn failing_job() -> Result<(), ToolError> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    Err(ToolError::user("The job failed, as it always does."))
}

/// Ends in an error of the protocol.
#[tool(task)]
async fn protocol_error_job() -> Result<(), ToolError> {
    tokio::time::sleep(Duration::from_millis(100)).await;
    Err(ToolError::rpc(-32603, "The job broke."))
}

/// Shall it be done?
#[data(input)]
struct Confirm {
    /// Yes or no.
    confirm: bool,
}

/// Asks before it would delete a file; nothing is deleted.
#[tool(task)]
async fn confirm_delete(filename: String, ctx: Context) -> Result<String, ToolError> {
    let question = ctx.elicit::<Confirm>(format!("Delete {filename}?")).named("confirm");
    let Confirm { confirm } = question.await?.accepted()?;
    Ok(if confirm { format!("Deleted {filename}.") } else { format!("Kept {filename}.") })
}

/// What there is to agree to.
#[data(input)]
struct Part {
    /// Its name.
    name: String,
    /// Shall it be done?
    confirm: bool,
}

/// Asks two questions at the same time.
#[tool(task)]
async fn multi_input(ctx: Context) -> Result<String, ToolError> {
    let (first, second) = tokio::try_join!(
        ctx.elicit::<Part>("The first part?").named("first"),
        ctx.elicit::<Part>("The second part?").named("second"),
    )?;
    let told = |part: Part| format!("{}: {}", part.name, part.confirm);
    Ok(format!("{}, {}", told(first.accepted()?), told(second.accepted()?)))
}

/// Asks for a name first, and then goes on as a task.
#[tool(task = "deferred")]
async fn test_tool_with_task(ctx: Context) -> Result<String, ToolError> {
    let UserName { name } = ctx.elicit::<UserName>("What is your name?").named("user_name").await?.accepted()?;
    ctx.begin_task().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(format!("Hello, {name}, from a task."))
}
