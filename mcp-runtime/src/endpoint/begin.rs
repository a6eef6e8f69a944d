//! From a request for something of the user's to a function at work: found, allowed, possible, started.
//!
//! The order is the ladder of the statuses that only a head can carry: unknown, then 400 for headers that differ, 403, then 400
//! for a client that can not do what is needed.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::{Arc, OnceLock};

use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::call::{Call, MayAsk, Reading, Subject, Tasking};
use super::rounds::Binding;
use super::strings::strings;
use super::watch::Watch;
use super::{Carrier, Endpoint, Head, Opening, Reply, Terms, busy, ok};
use crate::call::{
    Asking, CallState, Capability, CompletionRequest, Context, Limits, RawArguments, RawStrings, ReadTarget, RequestHead,
    RequestMeta, Round, Running, ToolResult, Way, Work,
};
use crate::catalog::{Common, NoSuchArgument, TaskMode, ToolEntry};
use crate::protocol::{Code, Completed, Completing, Era, Filter, Refusal, Retry, Target, check_parameters, printable};

/// What runs and how it may.
struct Plan {
    subject: Subject,
    name: &'static str,
    limits: Limits,
    asks: bool,
    begins_task: bool,
    round: Option<Box<Round>>,
    asking: Option<Box<MayAsk>>,
}

impl Plan {
    /// Of what neither asks nor becomes a task.
    fn plain(subject: Subject, name: &'static str, limits: Limits) -> Self {
        Self { subject, name, limits, asks: false, begins_task: false, round: None, asking: None }
    }
}

impl Endpoint {
    pub(super) fn call(
        self: &Arc<Self>,
        head: Head,
        terms: Terms,
        id: &str,
        target: &Target<'_>,
        retry: Option<&Retry<'_>>,
        meta: RequestMeta,
    ) -> Result<Reply, Refusal> {
        let catalog = self.catalog.current();
        let principal = head.principal.as_ref();
        match target {
            Target::Tool { name, arguments } => {
                let Some(entry) = catalog.tools.find(name, principal) else {
                    return Err(unknown("tool", name, catalog.tools.closest(name, principal)));
                };
                if let Some(headers) = head.carrier.headers()
                    && !terms.era.is_legacy()
                {
                    check_parameters(headers, &entry.headers, *arguments)?;
                }
                let parsed = || arguments.map_or_else(|| Some(Map::new()), |text| serde_json::from_str(text).ok());
                let task = match self.admit_tool(entry, &head, terms, id, &meta, parsed)? {
                    Ok(task) => task,
                    Err(reply) => return Ok(reply),
                };
                if let Some(reply) = self.forbidden_by(&entry.common, principal, parsed, id)? {
                    return Ok(reply);
                }
                let mut plan = self.plan(Subject::Tool, &entry.common, &head, terms, target, retry)?;
                plan.begins_task = task.as_ref().is_some_and(|task| !task.at_once);
                if task.is_some() {
                    plan.asking.get_or_insert_default().task = task;
                }
                let call = entry.definition.call;
                let rejected = Cell::new(false);
                let arguments = RawArguments::new(entry.common.name, *arguments, &entry.enforced, &rejected);
                let mut reply = self.start(head, terms, id, plan, meta, |context| Work::Tool(call(context, arguments)))?;
                if let Reply::Call(call) = &mut reply
                    && rejected.get()
                {
                    // What is wrong with the arguments is said at once, not by a task.
                    call.stays_a_call();
                }
                Ok(reply)
            }
            Target::Prompt { name, arguments } => {
                let Some(entry) = catalog.prompts.find(name, principal) else {
                    return Err(unknown("prompt", name, catalog.prompts.closest(name, principal)));
                };
                let named = || {
                    let given = strings(*arguments).ok()?;
                    Some(given.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect())
                };
                if let Some(reply) = self.admit(&entry.common, &head, terms, id, &meta, named)? {
                    return Ok(reply);
                }
                let given = strings(*arguments)?;
                if let Some(reply) = self.forbidden_by(&entry.common, principal, named, id)? {
                    return Ok(reply);
                }
                let plan = self.plan(Subject::Prompt, &entry.common, &head, terms, target, retry)?;
                let (get, arguments) = (entry.definition.get, RawStrings::new(entry.common.name, given));
                self.start(head, terms, id, plan, meta, |context| Work::Prompt(get(context, arguments)))
            }
            Target::Resource { uri } => {
                let Some(found) = catalog.resources.find(uri, principal) else {
                    return Err(Refusal::no_such_resource(uri, terms.era));
                };
                let (entry, definition) = (found.entry, found.entry.definition);
                let variables = || Some(found.arguments());
                if let Some(reply) = self.admit(&entry.common, &head, terms, id, &meta, variables)? {
                    return Ok(reply);
                }
                if let Some(reply) = self.forbidden_by(&entry.common, principal, variables, id)? {
                    return Ok(reply);
                }
                let ui = definition.meta.iter().find(|(key, _)| *key == "ui").and_then(|(_, json)| json.parse().ok());
                let reading = Reading { uri: uri.to_string(), cache: definition.cache, retried: retry.is_some(), ui };
                let subject = Subject::Resource(Box::new(reading));
                let plan = self.plan(subject, &entry.common, &head, terms, target, retry)?;
                let variables = found.variables.into_iter().map(|(name, value)| (Cow::Borrowed(name), Cow::Owned(value)));
                let variables = RawStrings::new(entry.common.name, variables.collect());
                let mut to_read = ReadTarget::new(uri.as_ref());
                to_read.mime_type = definition.mime_type;
                self.start(head, terms, id, plan, meta, |context| Work::Resource((definition.read)(context, variables, to_read)))
            }
        }
    }

    /// `completion/complete`.
    pub(super) fn complete(
        self: &Arc<Self>,
        head: Head,
        terms: Terms,
        id: &str,
        completing: &Completing<'_>,
        meta: RequestMeta,
    ) -> Result<Reply, Refusal> {
        let catalog = self.catalog.current();
        let principal = head.principal.as_ref();
        let (common, completion) = match &completing.of {
            Completed::Prompt(name) => {
                let entry = catalog.prompts.find(name, principal);
                let entry = entry.ok_or_else(|| unknown("prompt", name, catalog.prompts.closest(name, principal)))?;
                (&entry.common, entry.completes(&completing.argument))
            }
            Completed::Resource(uri) => {
                let entry = catalog.resources.template(uri, principal);
                // In all revisions a reference to nothing is a wrong parameter (MCP 2025-11-25, "Completion", "Error Handling").
                let entry = entry.ok_or_else(|| Refusal::no_such_resource(uri, Era::V2026_07_28))?;
                (&entry.common, entry.completes(&completing.argument))
            }
        };
        let Common { noun, name, .. } = common;
        let completion = completion.map_err(|NoSuchArgument| {
            Refusal::params(format!("The {noun} {name} has no argument {}", printable(&completing.argument)))
        })?;
        // A caller who may not use it may not learn its values either.
        if let Some(reply) = self.forbidden(common, principal, || None, id) {
            return Ok(reply);
        }
        self.count(None, &head)?;
        let Some(completion) = completion else {
            let none = crate::call::Completion::default();
            return Ok(ok(self.renderer.completion(id, terms.era, &none)));
        };
        let (value, context) = (completing.value.to_string(), strings(completing.context)?);
        let plan = Plan::plain(Subject::Completion, common.name, common.limits);
        self.start(head, terms, id, plan, meta, |ctx| {
            let request = CompletionRequest::new(ctx, value);
            let request = context
                .into_iter()
                .fold(request, |request, (name, value)| request.with_argument(name.into_owned(), value.into_owned()));
            Work::Completion((completion.complete)(request))
        })
    }

    /// A method that an extension added.
    pub(super) fn extension(
        self: &Arc<Self>,
        head: Head,
        terms: Terms,
        id: &str,
        method: &str,
        params: &str,
        meta: RequestMeta,
    ) -> Result<Reply, Refusal> {
        let Ok(Value::Object(mut params)) = serde_json::from_str(params) else {
            return Err(Refusal::params("params can not be read: nested too deeply, or a number or text is out of range"));
        };
        params.remove("_meta");
        let limits = Limits {
            timeout: self.bounds.timeout,
            max_result_bytes: self.bounds.max_result_bytes,
            heartbeat: self.bounds.heartbeat,
        };
        let Some(name) = self.offer.extensions.name_of(method) else { return Err(Refusal::unknown_method(method)) };
        self.count(None, &head)?;
        let extensions = self.offer.extensions.clone();
        let plan = Plan::plain(Subject::Extension, name, limits);
        let method = method.to_owned();
        self.start(head, terms, id, plan, meta, move |context| Work::Extension(extensions.begin(&method, context, params)))
    }

    /// `subscriptions/listen`.
    pub(super) fn begin_to_listen(
        self: &Arc<Self>,
        head: Head,
        terms: Terms,
        id: &str,
        filter: Filter,
        meta: &RequestMeta,
    ) -> Result<Reply, Refusal> {
        if !filter.task_ids.is_empty() && !meta.capabilities.contains(Capability::Tasks) {
            return Err(Refusal::missing_capabilities("A subscription to tasks", &[Capability::Tasks]));
        }
        if self.shutdown.is_cancelled() {
            return Err(stopping());
        }
        if !head.streams {
            return Err(Refusal::new(
                StatusCode::NOT_ACCEPTABLE,
                Code::InvalidRequest,
                "subscriptions/listen is answered with events: Accept must list text/event-stream",
            ));
        }
        let id: Arc<str> = id.into();
        let registration = terms.scope.map(|scope| self.in_flight.register(scope, Arc::clone(&id)));
        let for_errors = Arc::clone(&id);
        let watch = Arc::new(Watch::over_head(self, &head));
        let opening = Arc::clone(self).listen(id, filter, head.principal, watch, registration);
        Ok(Reply::Listen(Opening::new(async move { opening.await.map_err(|refusal| refusal.with_id(Some(&for_errors))) })))
    }

    /// Whether this caller with this client may use it, and this often: `Some` with what it is told otherwise.
    fn admit(
        &self,
        common: &Common,
        head: &Head,
        terms: Terms,
        id: &str,
        meta: &RequestMeta,
        arguments: impl FnOnce() -> Option<Map<String, Value>>,
    ) -> Result<Option<Reply>, Refusal> {
        // What an application decides by arguments costs it something, also where the answer is no.
        if self.access.permits.has(common.name) && !common.allows(head.principal.as_ref()) {
            self.count(Some(common), head)?;
        }
        if let Some(reply) = self.forbidden(common, head.principal.as_ref(), arguments, id) {
            return Ok(Some(reply));
        }
        let missing: Vec<_> =
            common.requires.iter().copied().filter(|capability| !meta.capabilities.contains(*capability)).collect();
        if missing.is_empty() {
            return match self.count(Some(common), head) {
                Ok(()) => Ok(None),
                // A model reads this, and waits; an error it may never see.
                Err(too_many) if common.noun == "tool" => {
                    Ok(Some(ok(self.renderer.tool_result(id, terms.era, &ToolResult::error(too_many.message())))))
                }
                Err(too_many) => Err(too_many.into()),
            };
        }
        let refusal = Refusal::missing_capabilities(common.name, &missing);
        if !terms.era.is_legacy() {
            return Err(refusal);
        }
        if common.noun == "tool" {
            // The legacy eras have no code for it, but their models read what a tool answers.
            return Ok(Some(ok(self.renderer.tool_result(id, terms.era, &ToolResult::error(refusal.message)))));
        }
        Err(Refusal::new(StatusCode::OK, Code::InternalError, refusal.message))
    }

    /// As [`admit`](Self::admit), and whether the call may become a task.
    fn admit_tool(
        &self,
        entry: &ToolEntry,
        head: &Head,
        terms: Terms,
        id: &str,
        meta: &RequestMeta,
        arguments: impl FnOnce() -> Option<Map<String, Value>>,
    ) -> Result<Result<Option<Tasking>, Reply>, Refusal> {
        if let Some(reply) = self.admit(&entry.common, head, terms, id, meta, arguments)? {
            return Ok(Err(reply));
        }
        // The tasks of 2025-11-25 are others, and not offered: its clients get results. A tool that came later is no task where
        // nobody could ask after it.
        let can = !terms.era.is_legacy() && self.offer.tasks && meta.capabilities.contains(Capability::Tasks);
        let timeout = entry.definition.timeout;
        let tasking = |at_once| Ok(Ok(Some(Tasking { head: head.clone(), at_once, timeout })));
        match entry.definition.task {
            TaskMode::Optional | TaskMode::Required if can => tasking(true),
            TaskMode::Deferred if can => tasking(false),
            TaskMode::Required => {
                let refusal = Refusal::missing_capabilities(entry.common.name, &[Capability::Tasks]);
                if !terms.era.is_legacy() {
                    return Err(refusal);
                }
                Ok(Err(ok(self.renderer.tool_result(id, terms.era, &ToolResult::error(refusal.message)))))
            }
            TaskMode::Never | TaskMode::Optional | TaskMode::Deferred => Ok(Ok(None)),
        }
    }

    /// What a call is bound to, and what its earlier rounds left behind.
    fn plan(
        &self,
        subject: Subject,
        common: &Common,
        head: &Head,
        terms: Terms,
        target: &Target<'_>,
        retry: Option<&Retry<'_>>,
    ) -> Result<Plan, Refusal> {
        // A state is verified also where the function would need nothing of it.
        let retry = retry.filter(|_| !terms.era.is_legacy());
        let binding =
            (!terms.era.is_legacy() && (common.asks || retry.is_some())).then(|| Binding::of(target, head.principal.as_ref()));
        let round = match (retry, &binding) {
            (Some(retry), Some(binding)) => Some(Box::new(self.rounds.resume(retry, binding)?)),
            _ => None,
        };
        let asking = common.asks.then(|| Box::new(MayAsk { binding, ..MayAsk::default() }));
        let plan = Plan::plain(subject, common.name, common.limits);
        Ok(Plan { asks: common.asks, round, asking, ..plan })
    }

    /// How a function's questions reach this client.
    fn way(&self, head: &Head, terms: Terms) -> Way {
        const NO_STREAM: &str =
            "a question needs a stream, so this client must accept text/event-stream, and send the call by itself";
        match (&head.carrier, terms.session) {
            _ if !terms.era.is_legacy() => Way::Rounds,
            _ if !head.streams => Way::Closed(NO_STREAM),
            (Carrier::Pipe(_), _) | (Carrier::Http(_), Some(_)) => Way::Live,
            (Carrier::Http(_), None) => Way::Closed("this client has no session"),
        }
    }

    fn start(
        self: &Arc<Self>,
        head: Head,
        terms: Terms,
        id: &str,
        plan: Plan,
        mut meta: RequestMeta,
        start: impl FnOnce(Context) -> Work,
    ) -> Result<Reply, Refusal> {
        if self.shutdown.is_cancelled() {
            return Err(stopping());
        }
        let Ok(slot) = Arc::clone(&self.calls).try_acquire_owned() else {
            tracing::warn!(target: "mcp_runtime::server", limit = self.bounds.max_concurrent_calls, "too many calls at once");
            return Err(busy());
        };
        let way = plan.asks.then(|| self.way(&head, terms));
        let mut asks = plan.asking;
        if let Some(asks) = asks.as_mut().filter(|_| way == Some(Way::Live)) {
            asks.scope = self.scope_of(&head, terms);
        }
        let asking =
            way.map(|way| Box::new(Asking::new(way, plan.round.map(|round| *round).unwrap_or_default(), self.rounds.limit)));
        let (headers, over_http) = match head.carrier {
            Carrier::Http(headers) => (headers, true),
            Carrier::Pipe(_) => (HeaderMap::new(), false),
        };
        meta.log_level = meta.log_level.filter(|_| self.offer.logging);
        let context = Context::new(CallState {
            tool: plan.name,
            states: Arc::clone(&self.states),
            principal: head.principal,
            request: RequestHead {
                uri: head.uri,
                headers,
                extensions: head.extensions,
                hidden: Arc::clone(&self.access.hidden),
                shown: OnceLock::new(),
            },
            meta,
            era: terms.era,
            asking,
            notifier: self.notifier.clone(),
            begins_task: plan.begins_task,
            is_driven: true,
            _slot: Some(slot),
        });
        let running = Running::start(context, plan.limits, plan.asks, start);
        let id = Arc::from(id);
        let registration = terms.scope.map(|scope| self.in_flight.register(scope, Arc::clone(&id)));
        if let Some(registration) = &registration
            && self.has_ended(terms.session)
        {
            // Its session ended before it could be found there.
            registration.cancelled.cancel();
        }
        Ok(Reply::Call(Call {
            running: Some(running),
            id,
            era: terms.era,
            endpoint: Arc::clone(self),
            subject: plan.subject,
            asking: asks,
            head_sent: false,
            registration,
            watch: None,
            session: terms.session.filter(|_| over_http).map(|session| session.key),
            outlives_client: over_http && terms.era.is_legacy(),
        }))
    }
}

fn stopping() -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::InternalError, "The server is stopping")
}

fn unknown(noun: &str, name: &str, meant: Option<&str>) -> Refusal {
    let meant = meant.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
    Refusal::params(format!("No {noun} named {}{meant}", printable(name)))
}
