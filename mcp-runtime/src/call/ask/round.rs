//! What one round of a call hands to the next, inside the sealed `requestState`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::state::{Asked, Digest, Outcome};
use crate::names::{hex, random_name};

/// A call whose rounds never end is no call.
pub(crate) const MAX_ROUNDS: u32 = 50;

/// So many answers of one retry are looked at.
const MOST_RESPONSES: usize = 256;

/// All that a call knows of its earlier rounds. In the first there is nothing.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Round {
    /// The call's own key.
    #[serde(rename = "k", skip_serializing_if = "Option::is_none")]
    call_key: Option<String>,
    /// How many rounds there were.
    #[serde(rename = "r")]
    count: u32,
    /// The keys of the questions that the last round asked.
    #[serde(rename = "q")]
    asked: Vec<String>,
    /// The keys that were ever used, and for what: a client that sends an old answer once more must not answer another question.
    #[serde(rename = "n")]
    keys: Vec<(String, Hex)>,
    /// The questions that were answered with a result.
    #[serde(rename = "a")]
    answered: Vec<(Hex, Box<RawValue>)>,
    /// The values of completed steps.
    #[serde(rename = "s")]
    steps: Vec<(String, Box<RawValue>)>,
    /// Answers that no later round needs: errors of a conversation that goes on.
    #[serde(skip)]
    failed: Vec<(Digest, Outcome)>,
    /// What the client sent as answers before anything was asked.
    #[serde(skip)]
    early: Vec<(String, Box<RawValue>)>,
}

/// A digest as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hex(Digest);

/// What is sent as an answer is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfit;

impl Round {
    /// What a sealed state says, with the client's answers to the questions in it.
    pub(crate) fn resumed(carried: &str, responses: Option<&str>) -> Result<Self, Unfit> {
        let mut round: Self = serde_json::from_str(carried).map_err(|_| Unfit)?;
        let asked = std::mem::take(&mut round.asked);
        for (key, response) in entries(responses)? {
            // Answers to what was not asked are ignored, as the specification has it.
            let question = round.keys.iter().find(|(known, _)| *known == key && asked.contains(&key));
            if let Some(&(_, Hex(digest))) = question {
                round.answered(digest, Outcome::Result(response));
            }
        }
        Ok(round)
    }

    /// A first round, with answers that nothing was asked for yet.
    pub(crate) fn early(responses: Option<&str>) -> Result<Self, Unfit> {
        Ok(Self { early: entries(responses)?, ..Self::default() })
    }

    /// What was sent early under this key; once.
    pub(super) fn take_early(&mut self, key: &str) -> Option<Box<RawValue>> {
        let index = self.early.iter().position(|(known, _)| known == key)?;
        Some(self.early.swap_remove(index).1)
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn answer(&self, question: &Digest) -> Option<Outcome> {
        let found = self.answered.iter().find(|(Hex(digest), _)| digest == question);
        let found = found.map(|(_, answer)| Outcome::Result(answer.clone()));
        found.or_else(|| self.failed.iter().find(|(digest, _)| digest == question).map(|(_, outcome)| outcome.clone()))
    }

    pub(super) fn answered(&mut self, question: Digest, outcome: Outcome) {
        self.forget(&question);
        match outcome {
            Outcome::Result(answer) => self.answered.push((Hex(question), answer)),
            error @ Outcome::Error { .. } => self.failed.push((question, error)),
        }
    }

    pub(super) fn forget(&mut self, question: &Digest) {
        self.answered.retain(|(Hex(digest), _)| digest != question);
        self.failed.retain(|(digest, _)| digest != question);
    }

    /// The key under which a question goes out: the wished one, unless another question has it.
    pub(super) fn key_for(&mut self, wished: &str, question: &Digest) -> String {
        if let Some((known, _)) = self.keys.iter().find(|(_, Hex(digest))| digest == question) {
            return known.clone();
        }
        let mut key = wished.to_owned();
        let mut number = 1;
        while self.keys.iter().any(|(known, _)| *known == key) {
            number += 1;
            key = format!("{wished}-{number}");
        }
        self.keys.push((key.clone(), Hex(*question)));
        key
    }

    pub(super) fn asks(&mut self, asked: &[Asked]) {
        // A client may send the next round twice: were the key made there, each of them would make its own.
        self.call_key();
        self.count += 1;
        self.asked = asked.iter().map(|asked| asked.key.clone()).collect();
    }

    pub(super) fn step(&self, name: &str) -> Option<Box<RawValue>> {
        self.steps.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    pub(super) fn completed(&mut self, name: &str, value: Box<RawValue>) {
        self.steps.push((name.to_owned(), value));
    }

    /// In bytes, about.
    pub(super) fn size(&self) -> usize {
        let answers = self.answered.iter().map(|(_, answer)| answer.get().len() + 80);
        answers.chain(self.steps.iter().map(|(name, value)| name.len() + value.get().len() + 8)).sum()
    }

    pub(super) fn carried(&self) -> String {
        // Strings, numbers and texts that are JSON already: there is nothing to fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn call_key(&mut self) -> String {
        self.call_key.get_or_insert_with(random_name).clone()
    }
}

/// The members of an object of answers; none where there is no object at all.
pub(crate) fn entries(responses: Option<&str>) -> Result<Vec<(String, Box<RawValue>)>, Unfit> {
    struct Entries;

    impl<'de> serde::de::Visitor<'de> for Entries {
        type Value = Vec<(String, Box<RawValue>)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object of answers")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = map.next_entry::<String, Box<RawValue>>()? {
                if entries.len() < MOST_RESPONSES {
                    entries.push(entry);
                }
            }
            Ok(entries)
        }
    }

    let Some(text) = responses.filter(|text| *text != "null") else { return Ok(Vec::new()) };
    let mut json = serde_json::Deserializer::from_str(text);
    serde::de::Deserializer::deserialize_map(&mut json, Entries).map_err(|_| Unfit)
}

impl Serialize for Hex {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut digest = [0; 32];
        let whole = text.len() == 64 && text.is_ascii();
        for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)).filter(|_| whole) {
            let pair = std::str::from_utf8(pair).map_err(serde::de::Error::custom)?;
            *byte = u8::from_str_radix(pair, 16).map_err(serde::de::Error::custom)?;
        }
        if whole { Ok(Self(digest)) } else { Err(serde::de::Error::custom("not a digest")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).expect("JSON")
    }

    fn asks<const N: usize>(round: &mut Round, questions: [(&str, u8); N]) {
        let asked = questions.map(|(key, mark)| {
            let (key, digest) = (round.key_for(key, &[mark; 32]), [mark; 32]);
            Asked { key, digest, method: "roots/list", params: "{}".to_owned() }
        });
        round.asks(&asked);
    }

    #[test]
    fn what_a_round_leaves_the_next_one_finds() {
        let mut first = Round::default();
        let key = first.call_key();
        first.completed("quote", raw("42"));
        asks(&mut first, [("name", 1), ("color", 2)]);
        let responses = r#"{"name":{"action":"accept"},"other":1}"#;
        let mut second = Round::resumed(&first.carried(), Some(responses)).expect("a round");
        assert_eq!((second.call_key(), second.count()), (key, 1));
        assert_eq!(second.step("quote").as_deref().map(RawValue::get), Some("42"));
        assert!(matches!(second.answer(&[1; 32]), Some(Outcome::Result(answer)) if answer.get() == r#"{"action":"accept"}"#));
        assert!(second.answer(&[2; 32]).is_none() && second.answer(&[3; 32]).is_none());
        // An answer stays, though the client sends it once.
        asks(&mut second, [("color", 2)]);
        let third = Round::resumed(&second.carried(), Some(r#"{"color":{}}"#)).expect("a round");
        assert!(third.answer(&[1; 32]).is_some() && third.answer(&[2; 32]).is_some());
    }

    #[test]
    fn answers_belong_to_what_was_asked_last() {
        let mut first = Round::default();
        asks(&mut first, [("name", 1)]);
        let carried = first.carried();
        for (responses, fits) in [("null", true), ("{}", true), ("[]", false), ("5", false), ("{", false)] {
            let round = Round::resumed(&carried, Some(responses));
            assert_eq!(round.is_ok_and(|round| round.answer(&[1; 32]).is_none()), fits, "{responses}");
        }
        for forged in ["", "{}", "null", r#"{"r":0,"q":["a"],"n":[["a","zz"]],"a":[],"s":[]}"#] {
            assert!(Round::resumed(forged, None).is_err(), "{forged}");
        }
    }

    #[test]
    fn a_round_that_is_sent_twice_has_one_call_key() {
        let mut first = Round::default();
        asks(&mut first, [("name", 1)]);
        let carried = first.carried();
        let again = || Round::resumed(&carried, None).expect("a round").call_key();
        assert_eq!(again(), again());
    }

    #[test]
    fn a_key_names_one_question_only() {
        let mut round = Round::default();
        assert_eq!(round.key_for("name", &[1; 32]), "name");
        assert_eq!(round.key_for("name", &[1; 32]), "name");
        assert_eq!(round.key_for("name", &[2; 32]), "name-2");
        assert_eq!(round.key_for("name", &[3; 32]), "name-3");
        // In the rounds after the next as well.
        round.asks(&[]);
        let mut later = Round::resumed(&round.carried(), None).expect("a round");
        later.asks(&[]);
        let mut later = Round::resumed(&later.carried(), None).expect("a round");
        assert_eq!(later.key_for("name", &[4; 32]), "name-4");
        assert_eq!(later.key_for("name", &[2; 32]), "name-2");
    }
}
