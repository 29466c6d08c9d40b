//! English text to the phonemes that the voice was trained on: a port of the package's `g2p/__init__.py`, which follows misaki 0.9.4
//! (Apache-2.0).

use fancy_regex::Regex;

use crate::model::Failed;
use crate::tts::hibari::lexicon::{Context, Lexicon, is_currency_sign};
use crate::tts::hibari::normalize::Normalizer;
use crate::tts::hibari::patterns::{group, regex};
use crate::tts::hibari::stress::{PRIMARY, apply_stress, is_consonant, is_vowel, stress_weight};
use crate::tts::hibari::tagger::Tagger;
use crate::tts::hibari::token::{Token, join, merge};
use crate::tts::hibari::tokenize::Tokenizer;

const PARTS: &str = r"^['‘’]+|[A-ZÀ-ÖØ-Þ](?=[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ])|(?:^-)?(?:\d?[,.]?\d)+|[-_]+|['‘’]{2,}|[^\W\d_]*?(?:['‘’][^\W\d_])*?[a-zß-öø-ÿ](?=[A-ZÀ-ÖØ-Þ])|[^\W\d_]+(?:['‘’][^\W\d_])*|[^\w\-'‘’]|['‘’]+$";
const PIECES: &str = r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+(?:[,.]\d+)*|[^\w\s]+";
const LINK: &str = r"\[([^\]]+)\]\(([^\)]*)\)";

/// Reads a word that the lexicon does not know.
pub(super) type Unknown<'a> = dyn FnMut(&str) -> Result<Option<String>, Failed> + 'a;

/// The rules and their tables.
pub(super) struct G2p {
    pub(super) lexicon: Lexicon,
    pub(super) normalizer: Normalizer,
    pub(super) tokenizer: Tokenizer,
    pub(super) tagger: Tagger,
    pub(super) patterns: Patterns,
}

/// The patterns of this module.
pub(super) struct Patterns {
    parts: Regex,
    pieces: Regex,
    link: Regex,
}

impl Patterns {
    pub(super) fn new() -> Self {
        Self { parts: regex(PARTS), pieces: regex(PIECES), link: regex(LINK) }
    }
}

/// A token, or the tokens of one word.
type Word = Vec<Token>;

fn is_junk(text: &str) -> bool {
    text.chars().all(|character| "',-._‘’/".contains(character))
}

/// Punctuation that is a phoneme, without quotation marks.
fn is_pause(character: char) -> bool {
    ";:,.!?—…".contains(character)
}

fn is_pause_text(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(is_pause) && characters.next().is_none()
}

impl G2p {
    /// The phonemes of a sentence.
    ///
    /// # Errors
    /// When `unknown` fails.
    pub(super) fn phonemes(&self, sentence: &str, unknown: &mut Unknown<'_>) -> Result<String, Failed> {
        let tokens = self.tokens(&self.normalizer.normalize(sentence));
        let mut words = self.words(tokens);
        let mut context = Context::default();
        for word in words.iter_mut().rev() {
            match word.as_mut_slice() {
                [token] => {
                    if token.phonemes.is_none() {
                        token.phonemes = self.lexicon.read(token, context);
                    }
                    if token.phonemes.is_none() {
                        token.phonemes = Some(self.fallback(&token.text, unknown)?);
                    }
                    context = context_before(context, token.phonemes.as_deref(), token);
                }
                tokens => context = self.read_parts(tokens, context, unknown)?,
            }
        }
        let mut phonemes = String::new();
        for word in &words {
            let joined = join(word);
            phonemes.push_str(&joined.replace('ɾ', "T").replace('ʔ', "t"));
            if word.last().is_some_and(|token| token.has_space) {
                phonemes.push(' ');
            }
        }
        Ok(phonemes.trim().to_owned())
    }

    /// The tokens with their tags. `[text](/phonemes/)` has its own phonemes.
    fn tokens(&self, text: &str) -> Vec<Token> {
        let mut tokens = Vec::new();
        let mut at = 0;
        for captures in self.patterns.link.captures_iter(text).map_while(Result::ok) {
            let Some(whole) = captures.get(0) else { break };
            tokens.extend(self.plain_tokens(&text[at..whole.start()]));
            let target = group(&captures, 2);
            let phonemes =
                target.strip_prefix('/').filter(|rest| rest.ends_with('/')).map(|rest| rest.trim_end_matches('/'));
            tokens.push(Token {
                text: group(&captures, 1).to_owned(),
                tag: "NN".into(),
                has_space: text[whole.end()..].starts_with(char::is_whitespace),
                phonemes: phonemes.map(str::to_owned),
                is_head: true,
                ..Token::default()
            });
            at = whole.end();
        }
        tokens.extend(self.plain_tokens(&text[at..]));
        tokens
    }

    fn plain_tokens(&self, text: &str) -> Vec<Token> {
        let pairs = self.tokenizer.tokens(text);
        let tags = self.tagger.tag(&pairs.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>());
        let token = |((text, has_space), tag)| Token { text, tag, has_space, is_head: true, ..Token::default() };
        pairs.into_iter().zip(tags).map(token).collect()
    }

    /// Cuts the tokens into parts that are read alike, and puts those of one word together.
    fn words(&self, tokens: Vec<Token>) -> Vec<Word> {
        // Whether the last word can still grow, beside it.
        let mut words: Vec<(Word, bool)> = Vec::new();
        let mut currency: Option<String> = None;
        for (index, token) in tokens.iter().enumerate() {
            let mut parts = if token.phonemes.is_none() { self.parts(token) } else { vec![token.clone()] };
            let Some(last) = parts.len().checked_sub(1) else { continue };
            parts[last].has_space = token.has_space;
            for part_index in 0..=last {
                let is_between_letters = 0 < part_index
                    && part_index < last
                    && parts[part_index - 1].text.chars().next_back().is_some_and(char::is_alphabetic)
                    && parts[part_index + 1].text.chars().next().is_some_and(char::is_alphabetic);
                let part = &mut parts[part_index];
                if part.phonemes.is_some() {
                } else if part.tag == "$" && is_currency_sign(&part.text) {
                    currency = Some(part.text.clone());
                    part.phonemes = Some(String::new());
                } else if part.tag == ":" && matches!(part.text.as_str(), "-" | "–") {
                    part.phonemes = Some("—".into());
                } else if let Some(phonemes) = mark_phonemes(part) {
                    part.phonemes = Some(phonemes);
                } else if currency.is_some() {
                    if part.tag != "CD" {
                        currency = None;
                    } else if part_index == last && tokens.get(index + 1).is_none_or(|next| next.tag != "CD") {
                        part.currency.clone_from(&currency);
                    }
                } else if is_between_letters && part.text == "2" {
                    part.alias = Some("to");
                }
                let mut part = part.clone();
                if part.alias.is_some() || part.phonemes.is_some() {
                    words.push((vec![part], false));
                    continue;
                }
                match words.last_mut() {
                    Some((word, true)) if word.last().is_some_and(|last| !last.has_space) => {
                        part.is_head = false;
                        word.push(part);
                    }
                    _ => {
                        let is_open = !part.has_space;
                        words.push((vec![part], is_open));
                    }
                }
            }
        }
        words.into_iter().map(|(word, _)| word).collect()
    }

    fn parts(&self, token: &Token) -> Vec<Token> {
        let found = self.patterns.parts.find_iter(&token.text).map_while(Result::ok);
        let part = |text: &str| Token {
            text: text.to_owned(),
            tag: token.tag.clone(),
            is_head: true,
            currency: token.currency.clone(),
            ..Token::default()
        };
        found.map(|found| part(found.as_str())).collect()
    }

    /// Reads the parts of a word: the longest run of parts from the end that the lexicon knows, then what is before it.
    fn read_parts(&self, tokens: &mut [Token], context: Context, unknown: &mut Unknown<'_>) -> Result<Context, Failed> {
        let mut context = context;
        let (mut left, mut right) = (0, tokens.len());
        while left < right {
            let run = &tokens[left..right];
            let merged = run.iter().all(|token| token.alias.is_none() && token.phonemes.is_none()).then(|| merge(run));
            let read = merged.and_then(|merged| Some((self.lexicon.read(&merged, context)?, merged)));
            if let Some((phonemes, merged)) = read {
                context = context_before(context, Some(&phonemes), &merged);
                tokens[left + 1..right].iter_mut().for_each(|token| token.phonemes = Some(String::new()));
                tokens[left].phonemes = Some(phonemes);
                right = left;
                left = 0;
            } else if left + 1 < right {
                left += 1;
            } else {
                right -= 1;
                let token = &mut tokens[right];
                if token.phonemes.is_none() {
                    if !is_junk(&token.text) {
                        let phonemes = self.fallback(&merge(tokens).text, unknown)?;
                        tokens.iter_mut().for_each(|token| token.phonemes = Some(String::new()));
                        tokens[0].phonemes = Some(phonemes);
                        return Ok(context);
                    }
                    token.phonemes = Some(String::new());
                }
                left = 0;
            }
        }
        resolve(tokens);
        Ok(context)
    }

    /// Reads an unknown word: letters by the network, digits as a number, symbols from a table.
    fn fallback(&self, text: &str, unknown: &mut Unknown<'_>) -> Result<String, Failed> {
        let mut read = Vec::new();
        for piece in self.patterns.pieces.find_iter(text).map_while(Result::ok) {
            let piece = piece.as_str();
            let phonemes = match piece.chars().next() {
                Some(first) if first.is_ascii_digit() => self.lexicon.number(piece, None, false),
                Some(first) if first.is_alphabetic() => unknown(piece)?,
                _ => Some(piece.chars().map(symbol_phonemes).collect()),
            };
            read.extend(phonemes.filter(|phonemes| !phonemes.is_empty()));
        }
        Ok(read.join(" "))
    }
}

fn symbol_phonemes(symbol: char) -> &'static str {
    match symbol {
        '/' => "slˈæʃ",
        '=' => "ˈikwᵊlz",
        '+' => "plˈʌs",
        '&' => "ænd",
        '@' => "æt",
        '%' => "pəɹsˈɛnt",
        '#' => "hˈæʃ",
        '*' => "ˈæstəɹˌɪsk",
        '~' => "tˈɪldə",
        '^' => "kˈɛɹət",
        '<' => "lˈɛs ðən",
        '>' => "ɡɹˈATəɹ ðən",
        '—' => "—",
        _ => "",
    }
}

/// The phonemes of punctuation; `None` for a word.
fn mark_phonemes(token: &Token) -> Option<String> {
    let is_mark =
        matches!(token.tag.as_str(), "." | "," | "-LRB-" | "-RRB-" | "``" | "\"\"" | "''" | ":" | "$" | "#" | "NFP");
    if !is_mark || token.text.chars().all(|character| character.is_ascii_alphabetic()) {
        return None;
    }
    Some(match token.tag.as_str() {
        "-LRB-" => "(".into(),
        "-RRB-" => ")".into(),
        "``" => "“".into(),
        "\"\"" | "''" => "”".into(),
        _ => token.text.chars().filter(|character| is_pause(*character) || "\"“”".contains(*character)).collect(),
    })
}

/// What a token is for the word before it.
fn context_before(context: Context, phonemes: Option<&str>, token: &Token) -> Context {
    let decisive = |phoneme: &char| is_vowel(*phoneme) || is_consonant(*phoneme) || is_pause(*phoneme);
    let future_vowel = match phonemes.and_then(|phonemes| phonemes.chars().find(decisive)) {
        Some(phoneme) if is_pause(phoneme) => None,
        Some(phoneme) => Some(is_vowel(phoneme)),
        None => context.future_vowel,
    };
    let future_to = match token.text.as_str() {
        "to" | "To" => true,
        "TO" => matches!(token.tag.as_str(), "TO" | "IN"),
        _ => false,
    };
    Context { future_vowel, future_to }
}

/// Decides the stresses of the parts of a word, and whether they are apart.
fn resolve(tokens: &mut [Token]) {
    let text = merge(tokens).text;
    let kind = |character: char| match character {
        _ if character.is_alphabetic() => 0,
        _ if character.is_ascii_digit() => 1,
        _ => 2,
    };
    let mut kinds: Vec<i32> = text.chars().filter(|c| !is_junk(c.encode_utf8(&mut [0; 4]))).map(kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let is_apart = text.contains([' ', '/']) || kinds.len() > 1;
    let last = tokens.len() - 1;
    for (index, token) in tokens.iter_mut().enumerate() {
        if token.phonemes.is_some() {
            if index > 0 {
                token.is_apart = is_apart;
            }
        } else if index == last && is_pause_text(&token.text) {
            token.phonemes = Some(token.text.clone());
        } else if is_junk(&token.text) {
            token.phonemes = Some(String::new());
        }
    }
    if is_apart {
        return;
    }
    let stress = |(index, token): (usize, &Token)| {
        let phonemes = token.phonemes.as_deref().filter(|phonemes| !phonemes.is_empty())?;
        Some((phonemes.contains(PRIMARY), stress_weight(phonemes), index))
    };
    let mut stresses: Vec<_> = tokens.iter().enumerate().filter_map(stress).collect();
    if let [(.., first), (.., second)] = stresses[..]
        && tokens[first].text.chars().count() == 1
    {
        weaken(&mut tokens[second]);
        return;
    }
    let stressed = stresses.iter().filter(|(is_stressed, ..)| *is_stressed).count();
    if stresses.len() < 2 || stressed <= stresses.len().div_ceil(2) {
        return;
    }
    stresses.sort_unstable();
    for (.., index) in &stresses[..stresses.len() / 2] {
        weaken(&mut tokens[*index]);
    }
}

fn weaken(token: &mut Token) {
    token.phonemes = token.phonemes.take().map(|phonemes| apply_stress(phonemes, Some(-0.5)));
}

#[cfg(test)]
mod tests {
    use aura_local::protocol::{Engine, Load};

    use crate::model::Stop;
    use crate::test_models;
    use crate::tts::hibari::Hibari;

    /// What version 0.2.1 of the package answers for sentences with numbers, dates, currencies, abbreviations, names, code and emoji:
    /// `G2P()(sentence)`, both as JSON strings.
    const GOLDEN: &str = include_str!("golden.tsv");

    #[test]
    fn every_sentence_has_the_phonemes_of_the_original() {
        let Some(mut files) = test_models::files("hibari-en") else { return };
        // Those of British voices would make it one.
        files.retain(|name, _| !name.contains("_gb"));
        let load = Load {
            engine: Engine::Hibari,
            files,
            onnx_runtime: Some(test_models::onnx_runtime()),
            espeak: None,
            threads: 1,
            context: 0,
        };
        let Hibari { g2p, mut unknown, .. } = Hibari::load(&load).unwrap();
        let mut wrong = Vec::new();
        for line in GOLDEN.lines() {
            let (sentence, expected) = line.split_once('\t').unwrap();
            let string = |json: &str| serde_json::from_str::<String>(json).unwrap();
            let sentence = string(sentence);
            let phonemes = g2p.phonemes(&sentence, &mut |word| unknown.read(word, &Stop::default())).unwrap();
            if phonemes != string(expected) {
                wrong.push(format!("{sentence}\n  is  {phonemes}\n  not {}", string(expected)));
            }
        }
        assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), GOLDEN.lines().count(), wrong.join("\n"));
    }
}
