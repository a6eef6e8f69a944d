//! "Did you mean": the known word that a misspelt one is closest to.

/// The known word nearest to `typed`, when it is near enough to be meant.
pub(crate) fn closest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = fold(typed);
    // A third of the letters may be wrong; in a very short word a single one.
    let allowed = (typed.len() / 3).max(1);
    known
        .into_iter()
        .map(|word| (distance(&typed, &fold(word)), word))
        .filter(|&(distance, _)| distance <= allowed)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, word)| word)
}

/// `` `a`, `b` `` for a message.
pub(crate) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// `; did you mean `x`?` or nothing.
pub(crate) fn question<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    closest(typed, known).map_or_else(String::new, |word| format!("; did you mean `{word}`?"))
}

/// `readOnly`, `read-only` and `readonly` are all `read_only`, misspelt.
fn fold(word: &str) -> Vec<char> {
    word.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

/// Edits between two words, where swapping two neighbours is one edit.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [&str; 4] = ["read_only", "tags", "timeout", "title"];

    #[test]
    fn spelling_and_style_are_forgiven() {
        for (typed, meant) in [
            ("readonly", "read_only"),
            ("readOnly", "read_only"),
            ("tag", "tags"),
            ("tgas", "tags"),
            ("time_out", "timeout"),
            ("titel", "title"),
        ] {
            assert_eq!(closest(typed, WORDS), Some(meant), "{typed}");
        }
    }

    #[test]
    fn a_distant_word_suggests_nothing() {
        assert_eq!(closest("description", WORDS), None);
        assert_eq!(question("x", WORDS), "");
    }

    #[test]
    fn words_are_listed_in_backticks() {
        assert_eq!(list(["a", "b"]), "`a`, `b`");
        assert_eq!(question("tagz", WORDS), "; did you mean `tags`?");
    }
}
