//! What a client sent, fit to be said back: short, and without characters that play tricks on a reader.

/// The beginning of a text, at most `most` characters; what can not be seen becomes U+FFFD.
pub(crate) fn excerpt(text: &str, most: usize) -> String {
    let mut shown: String = text.chars().take(most).map(|c| if is_invisible(c) { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

/// Controls, and characters that hide or turn around what stands beside them.
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_and_visible() {
        assert_eq!(excerpt("abc", 3), "abc");
        assert_eq!(excerpt("abcd", 3), "abc…");
        assert_eq!(excerpt("a\u{202e}b\n", 9), "a\u{fffd}b\u{fffd}");
    }
}
