//! JSON text, written by hand: the macros need no JSON library for a few literals.

use syn::{Expr, ExprLit, ExprUnary, Lit, UnOp};

/// The JSON text of a literal, when JSON has one.
pub(crate) fn literal(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit { lit, .. }) => match lit {
            Lit::Str(text) => Some(string(&text.value())),
            Lit::Bool(value) => Some(value.value.to_string()),
            Lit::Int(number) => number.base10_parse::<u64>().ok().map(|number| number.to_string()),
            Lit::Float(number) => {
                let number: f64 = number.base10_parse().ok()?;
                number.is_finite().then(|| format!("{number:?}"))
            }
            _ => None,
        },
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => match &**expr {
            Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => {
                let negative = format!("-{}", number.base10_digits());
                negative.parse::<i64>().ok().map(|number| number.to_string())
            }
            Expr::Lit(ExprLit { lit: Lit::Float(_), .. }) => literal(expr).map(|number| format!("-{number}")),
            _ => None,
        },
        _ => None,
    }
}

/// A string, quoted and escaped.
pub(crate) fn string(text: &str) -> String {
    let mut json = String::from('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            c if c < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

/// An array of strings.
pub(crate) fn strings(texts: impl IntoIterator<Item = String>) -> String {
    let texts: Vec<String> = texts.into_iter().map(|text| string(&text)).collect();
    format!("[{}]", texts.join(","))
}

/// An object of members whose values are JSON text already.
pub(crate) fn object<'a>(members: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let members: Vec<String> = members.into_iter().map(|(name, json)| format!("{}:{json}", string(name))).collect();
    format!("{{{}}}", members.join(","))
}
