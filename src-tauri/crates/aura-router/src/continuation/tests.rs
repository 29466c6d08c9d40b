//! Continuations of texts of many kinds.

use super::*;
use texts::{PROSE, TEXTS};

#[path = "../../tests/texts/mod.rs"]
mod texts;

/// The whole answer when `next` continues `answer`: the same whether it arrives at once or character by character.
fn join(answer: &str, next: &str) -> String {
    let of = |pieces: &mut dyn Iterator<Item = &str>| {
        let mut continuation = Continuation::new(answer);
        let mut text: String = pieces.map(|piece| continuation.take(piece)).collect();
        text.push_str(&continuation.finish());
        format!("{answer}{text}")
    };
    let whole = of(&mut [next].into_iter());
    let mut places: Vec<usize> = next.char_indices().map(|(at, _)| at).collect();
    places.push(next.len());
    let by_letter = of(&mut places.windows(2).map(|pair| &next[pair[0]..pair[1]]));
    assert_eq!(by_letter, whole, "in pieces");
    whole
}

#[test]
fn a_continuation_is_joined_as_it_comes() {
    for (answer, next) in [
        ("One two ", "three"),
        ("One two", " three"),
        ("One two", ", three"),
        ("One (", "two)"),
        ("", " three"),
        ("一二", "三"),
        // The end of a text may be the middle of a word, of a number or of an indentation.
        ("after", "noon"),
        ("One two ", " three"),
        ("if x:\n  ", "  return"),
        ("One two,", "three"),
        ("It is 12:", "30 now"),
        ("https://example.", "com/a"),
        ("https://example.", "Com"),
        ("Visit us at example.", "com today."),
        ("print(os.", "path.join(a))"),
        ("print(os.", "Path)"),
        ("She has a Ph.", "D. in law."),
        ("A trip to St.", "Gallen is"),
        ("It cost 3.", "14 euros."),
        ("Use e.g.", "The first."),
        ("Loading ", "... done."),
        ("f(a, ", "...args)"),
        ("in the ", "…afternoon."),
        ("Wait", "... what?"),
    ] {
        assert_eq!(join(answer, next), format!("{answer}{next}"));
    }
}

#[test]
fn a_space_between_two_sentences_is_added() {
    assert_eq!(join("One two.", "Three"), "One two. Three");
    assert_eq!(join("Is it “so”?", "I think so."), "Is it “so”? I think so.");
    assert_eq!(join("Es ist drei.", "Überall."), "Es ist drei. Überall.");
    assert_eq!(join("One two.", " Three"), "One two. Three");
    assert_eq!(join("One two. ", "Three"), "One two. Three");
    assert_eq!(join("```\nis done.", "Three"), "```\nis done.Three", "never in code");
    assert_eq!(join("Call `os is.", "Path`."), "Call `os is.Path`.", "never in code");
}

#[test]
fn a_repetition_is_dropped() {
    let answer = "It is three o'clock in the ";
    let whole = "It is three o'clock in the afternoon.";
    for next in [
        "afternoon.",
        "in the afternoon.",
        "It is three o'clock in the afternoon.",
        "it is three o'clock  in the afternoon.",
        "... in the afternoon.",
    ] {
        assert_eq!(join(answer, next), whole, "{next}");
    }
    assert_eq!(join("It is three", "It is three. Then four."), "It is three. Then four.");
    assert_eq!(join("It is. One two.", "One two. Three."), "It is. One two. Three.");
    assert_eq!(join("今は三時です。", "三時です。次に"), "今は三時です。次に");
    assert_eq!(join("They said “in the ", "in the afternoon”."), "They said “in the afternoon”.");
    let code = "Here is the code you asked for:\n```python\nfor i in range(3):\n";
    assert_eq!(join(code, &format!("{code}    print(i)\n")), format!("{code}    print(i)\n"), "indentation stays");
}

/// What may just as well be the exact rest.
#[test]
fn a_repetition_that_is_not_evident_is_kept() {
    for (answer, next) in [
        // One word, or numbers.
        ("It is three o'clock in the ", "the afternoon."),
        ("One two. ", "Two. Three."),
        ("What it is ", "is unclear."),
        ("One two ", "two"),
        ("Dial 0800 555 ", "555 1234 now."),
        ("The code is 44 ", "44 17."),
        ("Dial 555 123 ", "555 123 999"),
        ("x = [10, 20, ", "20, 30]"),
        ("정말 반갑습니다 ", "반갑습니다"),
        ("毎日少しずつ", "少しずつ増える"),
        ("No. ", "No. No."),
        // The text repeats itself.
        ("He ran over and ", "over and over again."),
        ("It went on and on and ", "on and on."),
        ("no no ", "no no no"),
        ("Happy birthday to you\n", "Happy birthday to you\nHappy birthday dear Ada"),
        ("谢谢谢谢", "谢谢谢谢"),
        // Lines repeat in code, tables and lists.
        ("        return x\n", "    return x\n"),
        ("| a b | c d |\n", "| a b | c d |\n"),
        ("| yes no | ", "yes no |"),
        ("std::vector<", "std::vector<int>>"),
        ("```\nend while end ", "while end if\n```"),
        ("- take the bus\n", "- take the bus\n"),
        // Another word, or another sentence.
        ("Take the ", "then"),
        ("One two three. ", "One two four."),
        ("He can ", "He cannot."),
    ] {
        assert_eq!(join(answer, next), format!("{answer}{next}"));
    }
}

#[test]
fn a_text_that_is_cut_anywhere_and_continued_with_its_rest_is_the_same() {
    for text in TEXTS.iter().chain(&PROSE) {
        for (at, _) in text.char_indices() {
            assert_eq!(join(&text[..at], &text[at..]), *text, "cut at {at}");
        }
    }
}

#[test]
fn every_word_may_be_said_several_times() {
    for text in PROSE {
        for times in 2..=4 {
            let text: String = text.split_inclusive(' ').map(|word| word.repeat(times)).collect();
            for (at, _) in text.char_indices() {
                assert_eq!(join(&text[..at], &text[at..]), text, "cut at {at}");
            }
        }
    }
}

/// A cut between two words, and a continuation that starts over or repeats the last words.
#[test]
fn prose_that_is_cut_between_words_and_repeated_is_the_same() {
    let mut repetitions = 0;
    for text in PROSE {
        let words: Vec<usize> =
            text.char_indices().filter(|(_, letter)| *letter == ' ').map(|(at, _)| at + 1).collect();
        for (index, at) in words.iter().enumerate().skip(1) {
            for from in [0].iter().chain(&words[..index - 1]) {
                let repeated = text[*from..*at].split_whitespace();
                if repeated.filter(|word| word.contains(char::is_alphabetic)).count() < 2 {
                    continue;
                }
                assert_eq!(join(&text[..*at], &text[*from..]), text, "cut at {at}, repeated from {from}");
                repetitions += 1;
            }
        }
    }
    assert!(repetitions > 500, "{repetitions}");
}

#[test]
fn an_incomplete_word_is_held_back() {
    let mut words = WordBuffer::default();
    let pieces = ["It", " costs 3", ".", "14 or", " so", ". Y", "es"];
    let passed: Vec<String> = pieces.iter().map(|piece| words.take(piece)).collect();
    assert_eq!(passed, ["", "It costs ", "", "3.14 ", "or ", "so. ", ""]);
    assert_eq!(words.finish(), "Yes");
    let mut words = WordBuffer::default();
    assert_eq!(words.take("三時です"), "三時です");
    let long = "x".repeat(MAX_HELD_CHARS + 1);
    assert_eq!(words.take(&long), long, "a word that never ends is not held back");
}

#[test]
fn a_complete_sentence_is_recognised() {
    for text in ["It is.", "Is it?\n", "“It is.”", "**It is.**", "```\nls\n```", "三時です。"] {
        assert!(ends_sentence(text), "{text}");
    }
    for text in ["It is", "It is,", "1. One\n2. Two", ""] {
        assert!(!ends_sentence(text), "{text}");
    }
}
