//! `application/x-www-form-urlencoded`, by the rules of the URL standard that RFC 6749 appendix B goes by.

/// Names and values of a form.
pub(super) fn form(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut text = String::new();
    for (name, value) in fields {
        if !text.is_empty() {
            text.push('&');
        }
        push(&mut text, name);
        text.push('=');
        push(&mut text, value);
    }
    text.into_bytes()
}

/// One name or value of a form.
pub(super) fn field(value: &str) -> String {
    let mut text = String::new();
    push(&mut text, value);
    text
}

fn push(text: &mut String, value: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => text.push(byte.into()),
            b' ' => text.push('+'),
            _ => {
                text.push('%');
                text.push(DIGITS[usize::from(byte >> 4)].into());
                text.push(DIGITS[usize::from(byte & 15)].into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_end_a_field_is_escaped() {
        assert_eq!(field("aZ09*-._"), "aZ09*-._");
        assert_eq!(field("a b+&=%:~/é\n"), "a+b%2B%26%3D%25%3A%7E%2F%C3%A9%0A");
        assert_eq!(form(&[("token", "a=&token=b"), ("x y", "")]), b"token=a%3D%26token%3Db&x+y=");
    }
}
