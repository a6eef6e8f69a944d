//! A JSON schema, compiled for checking arguments.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

/// Keywords of JSON Schema 2020-12 that assert something and are left to the `jsonschema` crate.
const LEFT_TO_CRATE: [&str; 16] = [
    "multipleOf",
    "contains",
    "minContains",
    "maxContains",
    "patternProperties",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "if",
    "then",
    "else",
    "unevaluatedItems",
    "unevaluatedProperties",
    "$dynamicRef",
    "additionalItems",
];

/// Is this keyword enforced by the `jsonschema` crate, or by nothing?
pub(super) fn is_left_to_crate(keyword: &str) -> bool {
    LEFT_TO_CRATE.contains(&keyword) || (keyword == "pattern" && cfg!(not(feature = "regex")))
}

/// What arguments must satisfy.
#[derive(Debug)]
pub(crate) struct Enforced {
    pub(super) root: Node,
    pub(super) definitions: Vec<Node>,
    /// The most alternatives that any of its schemas offers.
    pub(super) widest: usize,
    more_than_types: bool,
    #[cfg(feature = "jsonschema")]
    pub(super) full: Option<Box<jsonschema::Validator>>,
}

/// One schema.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Empty: any type.
    pub(super) types: Vec<Type>,
    pub(super) choices: Option<Vec<Value>>,
    pub(super) minimum: Option<Bound>,
    pub(super) maximum: Option<Bound>,
    pub(super) min_length: Option<usize>,
    pub(super) max_length: Option<usize>,
    #[cfg(feature = "regex")]
    pub(super) pattern: Option<Pattern>,
    pub(super) prefix: Vec<Node>,
    pub(super) items: Option<Rest>,
    pub(super) min_items: Option<usize>,
    pub(super) max_items: Option<usize>,
    pub(super) unique: bool,
    pub(super) properties: BTreeMap<String, Node>,
    pub(super) required: Vec<String>,
    pub(super) additional: Option<Rest>,
    pub(super) min_properties: Option<usize>,
    pub(super) max_properties: Option<usize>,
    pub(super) any_of: Vec<Node>,
    pub(super) one_of: Vec<Node>,
    pub(super) all_of: Vec<Node>,
    pub(super) not: Option<Box<Node>>,
    /// Index into the definitions.
    pub(super) reference: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

#[derive(Debug)]
pub(super) struct Bound {
    pub(super) limit: Number,
    pub(super) exclusive: bool,
}

/// What holds for items or properties that are not named.
#[derive(Debug)]
pub(super) enum Rest {
    Forbidden,
    Schema(Box<Node>),
}

#[derive(Debug)]
#[cfg(feature = "regex")]
pub(super) struct Pattern {
    pub(super) text: String,
    pub(super) regex: regex::Regex,
}

impl Enforced {
    /// Compiles a schema.
    ///
    /// # Errors
    /// It asserts something that nothing here enforces, one sentence each.
    pub(super) fn compile(schema: &Map<String, Value>) -> Result<Self, Vec<String>> {
        let mut compiler = Compiler {
            root: schema,
            names: Vec::new(),
            references: Vec::new(),
            current: None,
            more: false,
            widest: 0,
            left: Vec::new(),
            problems: Vec::new(),
        };
        let root = compiler.object(schema, "");
        let mut definitions = Vec::new();
        // Compiling a definition may refer to further ones.
        while definitions.len() < compiler.names.len() {
            let pointer = compiler.names[definitions.len()].clone();
            let target = compiler.target(&pointer).cloned();
            compiler.current = Some(definitions.len());
            definitions.push(target.map(|target| compiler.schema(&target, &pointer)).unwrap_or_default());
        }
        #[cfg(feature = "jsonschema")]
        let full = compiler.full();
        #[cfg(not(feature = "jsonschema"))]
        for (place, keyword) in std::mem::take(&mut compiler.left) {
            let feature = if keyword == "pattern" { "regex" } else { "jsonschema" };
            compiler.problems.push(format!(
                "its schema says `{keyword}` at `{place}`, which nothing enforces: turn on the feature `{feature}` of mcp-runtime, or remove it"
            ));
        }
        if !compiler.problems.is_empty() {
            return Err(compiler.problems);
        }
        Ok(Self {
            root,
            definitions,
            widest: compiler.widest,
            more_than_types: compiler.more,
            #[cfg(feature = "jsonschema")]
            full,
        })
    }

    /// Must arguments be checked against the schema although they fit the types?
    pub(crate) fn asserts_more_than_types(&self) -> bool {
        self.more_than_types
    }

    pub(super) fn assert_more(&mut self) {
        self.more_than_types = true;
    }
}

struct Compiler<'s> {
    root: &'s Map<String, Value>,
    /// JSON pointers of the definitions that were referred to.
    names: Vec<String>,
    /// Which definition refers to which.
    references: Vec<(usize, usize)>,
    /// The one that is being compiled.
    current: Option<usize>,
    more: bool,
    widest: usize,
    /// Place and keyword of what is left to the `jsonschema` crate.
    left: Vec<(String, String)>,
    problems: Vec<String>,
}

impl Compiler<'_> {
    fn schema(&mut self, schema: &Value, place: &str) -> Node {
        match schema {
            Value::Object(object) => self.object(object, place),
            Value::Bool(false) => Node { not: Some(Box::default()), ..Node::default() },
            _ => Node::default(),
        }
    }

    fn object(&mut self, schema: &Map<String, Value>, place: &str) -> Node {
        let mut node = Node::default();
        let implied = Implied::of(schema);
        for (keyword, value) in schema {
            let inner = || format!("{place}/{keyword}");
            match keyword.as_str() {
                "type" => {
                    node.types = types(value);
                    // serde's structs also read arrays, by position; the caller sees to the root.
                    self.more |= !place.is_empty() && node.types.contains(&Type::Object);
                }
                "enum" => node.choices = self.assert(value.as_array().cloned()),
                "const" => node.choices = self.assert(Some(vec![value.clone()])),
                "minimum" => self.bound(&mut node.minimum, value, false, implied.minimum, Ordering::Greater),
                "maximum" => self.bound(&mut node.maximum, value, false, implied.maximum, Ordering::Less),
                "exclusiveMinimum" => self.bound(&mut node.minimum, value, true, None, Ordering::Greater),
                "exclusiveMaximum" => self.bound(&mut node.maximum, value, true, None, Ordering::Less),
                "minLength" => node.min_length = self.assert(size(value)),
                "maxLength" => node.max_length = self.assert(size(value)),
                #[cfg(feature = "regex")]
                "pattern" => self.pattern(&mut node, value, &inner()),
                "prefixItems" => node.prefix = self.list(value, &inner()),
                "items" => node.items = self.rest(value, &inner()),
                "minItems" => node.min_items = self.items(size(value), &implied),
                "maxItems" => node.max_items = self.items(size(value), &implied),
                "uniqueItems" => node.unique = self.assert(value.as_bool().filter(|unique| *unique)).is_some(),
                "properties" => {
                    for (name, property) in value.as_object().into_iter().flatten() {
                        let property = self.schema(property, &format!("{place}/properties/{name}"));
                        node.properties.insert(name.clone(), property);
                    }
                }
                "required" => {
                    let names = value.as_array().into_iter().flatten().filter_map(Value::as_str);
                    node.required = names.map(str::to_owned).collect();
                }
                "additionalProperties" => {
                    node.additional = self.rest(value, &inner());
                    // At the root the caller knows whether serde refuses unknown names.
                    self.more |= !place.is_empty() && matches!(node.additional, Some(Rest::Forbidden));
                }
                "minProperties" => node.min_properties = self.assert(size(value)),
                "maxProperties" => node.max_properties = self.assert(size(value)),
                "anyOf" => node.any_of = self.branches(value, &inner()),
                "oneOf" => node.one_of = self.branches(value, &inner()),
                "allOf" => node.all_of = self.branches(value, &inner()),
                "not" => {
                    self.more = true;
                    node.not = Some(Box::new(self.schema(value, &inner())));
                }
                "$ref" => node.reference = self.reference(value, place),
                keyword if is_left_to_crate(keyword) => {
                    self.more = true;
                    self.left.push((if place.is_empty() { "/".to_owned() } else { place.to_owned() }, keyword.to_owned()));
                }
                // All else annotates.
                _ => {}
            }
        }
        // An enum whose variants are documented: one list of choices says the same.
        if node.choices.is_none()
            && !node.one_of.is_empty()
            && let Some(choices) = node.one_of.iter().map(|form| form.choices.clone()).collect::<Option<Vec<_>>>()
        {
            node.choices = Some(choices.concat());
            node.one_of.clear();
        }
        node
    }

    /// Notes that the schema asserts more than types, where there is an assertion.
    fn assert<T>(&mut self, assertion: Option<T>) -> Option<T> {
        self.more |= assertion.is_some();
        assertion
    }

    /// Sets a bound, unless a stricter one is there: `minimum` and `exclusiveMinimum` both hold.
    fn bound(&mut self, slot: &mut Option<Bound>, value: &Value, exclusive: bool, implied: Option<i128>, stricter: Ordering) {
        let Some(limit) = value.as_number() else { return };
        self.more |= implied.is_none() || integer(limit) != implied;
        let keeps = slot.as_ref().is_some_and(|known| match compare(limit, &known.limit) {
            Some(Ordering::Equal) => known.exclusive || !exclusive,
            Some(order) => order != stricter,
            None => false,
        });
        if !keeps {
            *slot = Some(Bound { limit: limit.clone(), exclusive });
        }
    }

    fn items(&mut self, size: Option<usize>, implied: &Implied) -> Option<usize> {
        self.more |= size != implied.items;
        size
    }

    #[cfg(feature = "regex")]
    fn pattern(&mut self, node: &mut Node, value: &Value, place: &str) {
        let Some(text) = value.as_str() else { return };
        self.more = true;
        match regex::RegexBuilder::new(text).size_limit(1 << 20).build() {
            Ok(regex) => node.pattern = Some(Pattern { text: text.to_owned(), regex }),
            Err(error) => self.problems.push(format!("its schema has at `{place}` a pattern that can not be compiled: {error}")),
        }
    }

    fn rest(&mut self, value: &Value, place: &str) -> Option<Rest> {
        match value {
            Value::Bool(true) => None,
            Value::Bool(false) => Some(Rest::Forbidden),
            schema => Some(Rest::Schema(Box::new(self.schema(schema, place)))),
        }
    }

    fn list(&mut self, value: &Value, place: &str) -> Vec<Node> {
        let schemas = value.as_array().into_iter().flatten().enumerate();
        schemas.map(|(index, schema)| self.schema(schema, &format!("{place}/{index}"))).collect()
    }

    fn branches(&mut self, value: &Value, place: &str) -> Vec<Node> {
        self.more = true;
        let forms = self.list(value, place);
        self.widest = self.widest.max(forms.len());
        forms
    }

    fn reference(&mut self, value: &Value, place: &str) -> Option<usize> {
        let pointer = value.as_str().and_then(|target| target.strip_prefix('#'));
        let Some(pointer) = pointer.filter(|pointer| self.target(pointer).is_some()) else {
            self.problems
                .push(format!("its schema refers at `{place}` to {value}, which is not inside of it; nothing is fetched"));
            return None;
        };
        let known = self.names.iter().position(|name| name == pointer).unwrap_or_else(|| {
            self.names.push(pointer.to_owned());
            self.names.len() - 1
        });
        self.references.extend(self.current.map(|current| (current, known)));
        Some(known)
    }

    /// Does a definition contain itself, directly or through others?
    #[cfg(feature = "jsonschema")]
    fn is_recursive(&self) -> bool {
        let mut left = self.references.clone();
        // What refers to nothing that is left can not be part of a circle.
        while let Some(end) = left.iter().position(|(_, to)| left.iter().all(|(from, _)| from != to)) {
            let (_, to) = left[end];
            left.retain(|(_, other)| *other != to);
        }
        !left.is_empty()
    }

    fn target(&self, pointer: &str) -> Option<&Value> {
        let mut parts = pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~"));
        let first = parts.next()?;
        parts.try_fold(self.root.get(&first)?, |value, part| match value {
            Value::Array(items) => items.get(part.parse::<usize>().ok()?),
            value => value.get(&part),
        })
    }

    #[cfg(feature = "jsonschema")]
    fn full(&mut self) -> Option<Box<jsonschema::Validator>> {
        if self.left.is_empty() {
            return None;
        }
        // The crate tries every alternative at every level, for as long as that takes.
        if self.widest > 1 && self.is_recursive() {
            let keywords: Vec<_> = self.left.iter().map(|(place, keyword)| format!("`{keyword}` at `{place}`")).collect();
            self.problems.push(format!(
                "its schema contains itself, with alternatives, and says {}: that can not be enforced in bounded time; remove one of these",
                keywords.join(", ")
            ));
            return None;
        }
        match jsonschema::draft202012::new(&Value::Object(self.root.clone())) {
            Ok(validator) => Some(Box::new(validator)),
            Err(error) => {
                self.problems.push(format!("its schema is not valid: {error}"));
                None
            }
        }
    }
}

/// What the type of a value enforces by itself, told by the `format` that schemars gives it.
struct Implied {
    minimum: Option<i128>,
    maximum: Option<i128>,
    items: Option<usize>,
}

impl Implied {
    fn of(schema: &Map<String, Value>) -> Self {
        let (minimum, maximum) = match schema.get("format").and_then(Value::as_str) {
            Some("uint8") => (Some(0), Some(i128::from(u8::MAX))),
            Some("uint16") => (Some(0), Some(i128::from(u16::MAX))),
            Some("uint32") => (Some(0), Some(i128::from(u32::MAX))),
            Some("uint64" | "uint128" | "uint") => (Some(0), None),
            Some("int8") => (Some(i128::from(i8::MIN)), Some(i128::from(i8::MAX))),
            Some("int16") => (Some(i128::from(i16::MIN)), Some(i128::from(i16::MAX))),
            _ => (None, None),
        };
        // A tuple has as many items as it has schemas.
        Self { minimum, maximum, items: schema.get("prefixItems").and_then(Value::as_array).map(Vec::len) }
    }
}

pub(super) fn compare(a: &Number, b: &Number) -> Option<Ordering> {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

pub(super) fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

fn size(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|size| usize::try_from(size).ok())
}

fn types(value: &Value) -> Vec<Type> {
    let one = |name: &Value| match name.as_str()? {
        "null" => Some(Type::Null),
        "boolean" => Some(Type::Boolean),
        "integer" => Some(Type::Integer),
        "number" => Some(Type::Number),
        "string" => Some(Type::String),
        "array" => Some(Type::Array),
        "object" => Some(Type::Object),
        _ => None,
    };
    match value {
        Value::Array(names) => names.iter().filter_map(one).collect(),
        name => one(name).into_iter().collect(),
    }
}
