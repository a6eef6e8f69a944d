//! Walks arguments and schema together and finds every problem at once.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

#[cfg(feature = "jsonschema")]
use super::enforce::is_left_to_crate;
use super::enforce::{Bound, Enforced, Node, Rest, Type, compare};
use super::problem::{Path, Problem, closest, shown};

/// Arguments come from outside: a schema that refers to itself must not make a walk endless.
const MAX_DEPTH: usize = 400;

/// A schema that offers alternatives at every level can be walked in more ways than anybody waits for. So many steps are
/// allowed for each value, and so many beyond.
const STEPS_PER_VALUE: usize = 4;
const FREE_STEPS: usize = 50_000;

/// Enough to report; a walk that found more is not worth its time.
pub(crate) const MAX_PROBLEMS: usize = 64;

impl Enforced {
    /// What is wrong with one of the arguments alone.
    pub(super) fn problems_of_property(&self, name: &str, value: &Value) -> Vec<Problem> {
        let mut walk = Walk { schema: self, problems: Vec::new(), steps: FREE_STEPS };
        if let Some(node) = self.root.properties.get(name) {
            walk.check(node, value, &Path::Name(&Path::Root, name), 0);
        }
        walk.problems
    }

    /// Takes out what is null and need not be there. Models send null for "not given", also where a default fills in.
    pub(crate) fn drop_nulls(&self, value: &mut Value) {
        let Value::Object(members) = value else { return };
        members.retain(|name, value| {
            let refuses_null = |node: &Node| !node.types.is_empty() && !node.types.contains(&Type::Null);
            let dropped =
                value.is_null() && !self.root.required.contains(name) && self.root.properties.get(name).is_some_and(refuses_null);
            !dropped
        });
    }

    /// Everything that is wrong with `value`; empty when it satisfies the schema.
    pub(crate) fn problems(&self, value: &Value) -> Vec<Problem> {
        let steps = FREE_STEPS + STEPS_PER_VALUE * (1 + self.widest) * count(value);
        let mut walk = Walk { schema: self, problems: Vec::new(), steps };
        walk.check(&self.root, value, &Path::Root, 0);
        if walk.steps == 0 {
            walk.problems.push(Path::Root.problem("too deep or too manifold to check; send less"));
        }
        #[cfg(feature = "jsonschema")]
        if let Some(full) = self.full.as_ref().filter(|_| walk.steps > 0) {
            for error in full.iter_errors(value).take(MAX_PROBLEMS) {
                // What the walk checks itself it has said in better words.
                if error.schema_path().as_str().split('/').any(is_left_to_crate) && walk.problems.len() < MAX_PROBLEMS {
                    let path = error.instance_path().as_str().replace('/', ".");
                    let path = path.trim_start_matches('.');
                    walk.problems.push(Problem::new(path, error.masked_with("the value").to_string()));
                }
            }
        }
        walk.problems
    }
}

struct Walk<'s> {
    schema: &'s Enforced,
    problems: Vec<Problem>,
    /// That are left.
    steps: usize,
}

impl Walk<'_> {
    fn check(&mut self, node: &Node, value: &Value, path: &Path<'_>, depth: usize) {
        // What is too deep to check is not let through.
        self.steps = if depth > MAX_DEPTH { 0 } else { self.steps.saturating_sub(1) };
        if self.is_over() {
            return;
        }
        if !node.types.is_empty() && !node.types.iter().any(|kind| is(*kind, value)) {
            self.add(path, format!("expected {}, got {}", expected(node), shown(value)));
            return;
        }
        // An optional value that is null: nothing else applies to it.
        if value.is_null() && node.types.contains(&Type::Null) {
            return;
        }
        if let Some(choices) = &node.choices
            && !choices.iter().any(|choice| equal(choice, value))
        {
            self.add(path, wrong_choice(choices, value));
            return;
        }
        match value {
            Value::Number(number) => self.number(node, number, path),
            Value::String(text) => self.string(node, text, path),
            Value::Array(items) => self.array(node, items, path, depth),
            Value::Object(members) => self.object(node, members, path, depth),
            Value::Null | Value::Bool(_) => {}
        }
        self.combined(node, value, path, depth);
    }

    /// Is there nothing more to learn?
    fn is_over(&self) -> bool {
        self.steps == 0 || self.problems.len() >= MAX_PROBLEMS
    }

    fn add(&mut self, path: &Path<'_>, text: String) {
        self.problems.push(path.problem(text));
    }

    fn number(&mut self, node: &Node, number: &Number, path: &Path<'_>) {
        let low = node.minimum.as_ref().is_some_and(|bound| !within(bound, number, Ordering::Greater));
        let high = node.maximum.as_ref().is_some_and(|bound| !within(bound, number, Ordering::Less));
        if low || high {
            self.add(path, format!("expected {}, got {number}", expected(node)));
        }
    }

    fn string(&mut self, node: &Node, text: &str, path: &Path<'_>) {
        if node.min_length.is_some() || node.max_length.is_some() {
            let length = text.chars().count();
            if node.min_length.is_some_and(|min| length < min) || node.max_length.is_some_and(|max| length > max) {
                let limits = counted(node.min_length, node.max_length, "character", "characters");
                self.add(path, format!("expected a string of {limits}, got {length}"));
            }
        }
        #[cfg(feature = "regex")]
        if let Some(pattern) = &node.pattern
            && !pattern.regex.is_match(text)
        {
            self.add(path, format!("expected a string that matches {}, got {}", pattern.text, shown(&Value::from(text))));
        }
    }

    fn array(&mut self, node: &Node, items: &[Value], path: &Path<'_>, depth: usize) {
        if node.min_items.is_some_and(|min| items.len() < min) || node.max_items.is_some_and(|max| items.len() > max) {
            let limits = counted(node.min_items, node.max_items, "item", "items");
            self.add(path, format!("expected an array of {limits}, got {}", items.len()));
        }
        if node.unique && has_repeated(items) {
            self.add(path, "expected items that are all different".to_owned());
        }
        for (index, item) in items.iter().enumerate() {
            if self.is_over() {
                return;
            }
            let path = Path::Index(path, index);
            match (node.prefix.get(index), &node.items) {
                (Some(node), _) => self.check(node, item, &path, depth + 1),
                (None, Some(Rest::Schema(node))) => self.check(node, item, &path, depth + 1),
                (None, Some(Rest::Forbidden)) => self.add(&path, "one item too many".to_owned()),
                (None, None) => {}
            }
        }
    }

    fn object(&mut self, node: &Node, members: &Map<String, Value>, path: &Path<'_>, depth: usize) {
        for name in &node.required {
            if !members.contains_key(name) {
                let what = node.properties.get(name).map(expected).unwrap_or_default();
                let what = if what.is_empty() { String::new() } else { format!(" (expected {what})") };
                self.add(&Path::Name(path, name), format!("required, but missing{what}"));
            }
        }
        if node.min_properties.is_some_and(|min| members.len() < min)
            || node.max_properties.is_some_and(|max| members.len() > max)
        {
            let limits = counted(node.min_properties, node.max_properties, "member", "members");
            self.add(path, format!("expected an object of {limits}, got {}", members.len()));
        }
        for (name, value) in members {
            if self.is_over() {
                return;
            }
            match (node.properties.get(name), &node.additional) {
                (Some(node), _) => self.check(node, value, &Path::Name(path, name), depth + 1),
                (None, Some(Rest::Schema(node))) => self.check(node, value, &Path::Name(path, name), depth + 1),
                (None, Some(Rest::Forbidden)) => self.add(&Path::Name(path, name), unknown(name, node, members)),
                (None, None) => {}
            }
        }
    }

    fn combined(&mut self, node: &Node, value: &Value, path: &Path<'_>, depth: usize) {
        if let Some(target) = node.reference.and_then(|index| self.schema.definitions.get(index)) {
            self.check(target, value, path, depth + 1);
        }
        for part in &node.all_of {
            self.check(part, value, path, depth + 1);
        }
        if !node.any_of.is_empty() {
            self.one_form(&node.any_of, value, path, depth);
        }
        if !node.one_of.is_empty() && self.one_form(&node.one_of, value, path, depth) > 1 {
            self.add(path, "fits more than one of the forms that exclude each other".to_owned());
        }
        if let Some(not) = &node.not
            && self.apart(not, value, path, depth).is_empty()
        {
            self.add(path, format!("{} is not allowed here", shown(value)));
        }
    }

    /// Checks the alternatives, reports those of the nearest one if none fits, and says how many fit.
    fn one_form(&mut self, forms: &[Node], value: &Value, path: &Path<'_>, depth: usize) -> usize {
        // Where every form says by a tag or a name of its own that it is meant, only that one is looked into: to try all, level
        // by level, takes exponential time.
        let marks: Option<Vec<Mark<'_>>> = forms.iter().map(|form| self.mark(form)).collect();
        let meant: Vec<&Node> = match &marks {
            Some(marks) => forms.iter().zip(marks).filter(|(_, mark)| mark.is_on(value)).map(|(form, _)| form).collect(),
            None => forms.iter().collect(),
        };
        if meant.is_empty()
            && let Some(problem) = marks.as_deref().and_then(|marks| wrong_tag(marks, value, path))
        {
            self.problems.push(problem);
            return 0;
        }
        let forms: Vec<&Node> = if meant.is_empty() { forms.iter().collect() } else { meant };
        let found: Vec<Vec<Problem>> = forms.iter().map(|form| self.apart(form, value, path, depth)).collect();
        if self.steps == 0 {
            // Forms that were not looked into would seem to fit.
            return 1;
        }
        let fitting = found.iter().filter(|problems| problems.is_empty()).count();
        if fitting > 0 {
            return fitting;
        }
        let choices: Option<Vec<_>> = forms.iter().map(|form| form.choices.as_ref()).collect();
        if let Some(choices) = choices {
            let choices: Vec<Value> = choices.into_iter().flatten().cloned().collect();
            self.add(path, wrong_choice(&choices, value));
            return 0;
        }
        // Of the right kind, if there is one: to an object nobody says "expected null".
        let of_kind = |form: &Node| {
            let form = self.resolved(form);
            form.types.is_empty() || form.types.iter().any(|kind| is(*kind, value))
        };
        if let Some((_, nearest)) = forms.iter().zip(found).min_by_key(|(form, problems)| (!of_kind(form), problems.len())) {
            self.problems.extend(nearest);
        }
        0
    }

    fn resolved<'n>(&'n self, form: &'n Node) -> &'n Node {
        form.reference.and_then(|index| self.schema.definitions.get(index)).unwrap_or(form)
    }

    /// What tells one form of an enum from the others, if something does.
    fn mark<'n>(&'n self, form: &'n Node) -> Option<Mark<'n>> {
        let form = self.resolved(form);
        if let Some(choices) = &form.choices {
            return Some(Mark::Choices(choices));
        }
        let tag = form.properties.iter().find_map(|(name, property)| match property.choices.as_deref() {
            Some([tag]) if form.required.contains(name) => Some(Mark::Tag(name, tag)),
            _ => None,
        });
        tag.or(match (form.required.as_slice(), &form.additional) {
            ([only], Some(Rest::Forbidden)) if form.properties.len() == 1 => Some(Mark::Name(only)),
            _ => None,
        })
    }

    /// The problems with one schema alone.
    fn apart(&mut self, node: &Node, value: &Value, path: &Path<'_>, depth: usize) -> Vec<Problem> {
        let before = std::mem::take(&mut self.problems);
        self.check(node, value, path, depth + 1);
        std::mem::replace(&mut self.problems, before)
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

fn is(kind: Type, value: &Value) -> bool {
    match kind {
        Type::Null => value.is_null(),
        Type::Boolean => value.is_boolean(),
        Type::Integer => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|float| float.fract() == 0.0),
        Type::Number => value.is_number(),
        Type::String => value.is_string(),
        Type::Array => value.is_array(),
        Type::Object => value.is_object(),
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b) == Some(Ordering::Equal),
        _ => a == b,
    }
}

fn within(bound: &Bound, number: &Number, side: Ordering) -> bool {
    match compare(number, &bound.limit) {
        Some(Ordering::Equal) => !bound.exclusive,
        Some(order) => order == side,
        None => false,
    }
}

fn has_repeated(items: &[Value]) -> bool {
    let mut seen = std::collections::HashSet::new();
    items.iter().any(|item| !seen.insert(item.to_string()))
}

/// How serde tells the variants of an enum apart.
enum Mark<'n> {
    /// By a member with a fixed value.
    Tag(&'n str, &'n Value),
    /// By the name of its only member.
    Name(&'n str),
    /// By the whole value.
    Choices(&'n [Value]),
}

impl Mark<'_> {
    fn is_on(&self, value: &Value) -> bool {
        match self {
            Self::Tag(name, tag) => value.get(name).is_some_and(|member| equal(tag, member)),
            Self::Name(name) => value.get(name).is_some(),
            Self::Choices(choices) => choices.iter().any(|choice| equal(choice, value)),
        }
    }
}

/// All forms are told apart by one tag, and the value carries none of theirs.
fn wrong_tag(marks: &[Mark<'_>], value: &Value, path: &Path<'_>) -> Option<Problem> {
    let tags: Vec<(&str, &Value)> = marks
        .iter()
        .map(|mark| match mark {
            Mark::Tag(name, tag) => Some((*name, *tag)),
            Mark::Name(_) | Mark::Choices(_) => None,
        })
        .collect::<Option<_>>()?;
    let (name, _) = *tags.first()?;
    if !value.is_object() || tags.iter().any(|(other, _)| *other != name) {
        return None;
    }
    let tags: Vec<Value> = tags.into_iter().map(|(_, tag)| tag.clone()).collect();
    let path = Path::Name(path, name);
    Some(path.problem(match value.get(name) {
        Some(tag) => wrong_choice(&tags, tag),
        None => format!("required, but missing (expected {})", listed(&tags)),
    }))
}

fn wrong_choice(choices: &[Value], value: &Value) -> String {
    let guess = value.as_str().and_then(|text| closest(text, choices.iter().filter_map(Value::as_str)));
    let guess = guess.filter(|_| choices.len() > 1).map(|name| format!("; did you mean \"{name}\"?")).unwrap_or_default();
    format!("expected {}, got {}{guess}", listed(choices), shown(value))
}

/// "one of \"a\", \"b\""; null is how an optional value is left out, and not worth a word.
fn listed(choices: &[Value]) -> String {
    const LISTED: usize = 12;
    let mut list: Vec<String> = choices.iter().filter(|choice| !choice.is_null()).map(shown).collect();
    let more = list.len().saturating_sub(LISTED);
    list.truncate(LISTED);
    match (list.as_slice(), more) {
        ([only], _) => only.clone(),
        (list, 0) => format!("one of {}", list.join(", ")),
        (list, more) => format!("one of {} or {more} more", list.join(", ")),
    }
}

fn unknown(name: &str, node: &Node, members: &Map<String, Value>) -> String {
    // What is already given is not what was meant.
    let free = || node.properties.keys().map(String::as_str).filter(|known| !members.contains_key(*known));
    if let Some(meant) = closest(name, free()) {
        return format!("unknown name; did you mean `{meant}`?");
    }
    let known: Vec<_> = node.properties.keys().take(12).map(|name| format!("`{name}`")).collect();
    match known.as_slice() {
        [] => "unknown name; nothing is expected here".to_owned(),
        known => format!("unknown name; known are {}", known.join(", ")),
    }
}

/// The schema in words: "an integer from 1 to 14", "one of \"a\", \"b\"".
fn expected(node: &Node) -> String {
    if let Some(choices) = &node.choices {
        return listed(choices);
    }
    let kinds: Vec<_> =
        node.types.iter().filter(|kind| **kind != Type::Null || node.types.len() == 1).map(|kind| words(*kind)).collect();
    let mut text = kinds.join(" or ");
    let limit =
        |bound: &Bound, word: &str, strict: &str| format!(" {} {}", if bound.exclusive { strict } else { word }, bound.limit);
    match (&node.minimum, &node.maximum) {
        (Some(low), Some(high)) if !low.exclusive && !high.exclusive => {
            text.push_str(&format!(" from {} to {}", low.limit, high.limit));
        }
        (low, high) => {
            text.extend(low.iter().map(|bound| limit(bound, "of at least", "greater than")));
            text.extend(high.iter().map(|bound| limit(bound, "of at most", "less than")));
        }
    }
    text
}

fn words(kind: Type) -> &'static str {
    match kind {
        Type::Null => "null",
        Type::Boolean => "true or false",
        Type::Integer => "an integer",
        Type::Number => "a number",
        Type::String => "a string",
        Type::Array => "an array",
        Type::Object => "an object",
    }
}

fn counted(min: Option<usize>, max: Option<usize>, one: &str, many: &str) -> String {
    let unit = |count: usize| if count == 1 { one } else { many };
    match (min, max) {
        (Some(min), Some(max)) if min == max => format!("{min} {}", unit(min)),
        (Some(min), Some(max)) => format!("{min} to {max} {}", unit(max)),
        (Some(min), None) => format!("at least {min} {}", unit(min)),
        (None, Some(max)) => format!("at most {max} {}", unit(max)),
        (None, None) => many.to_owned(),
    }
}
