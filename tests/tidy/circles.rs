//! No module of a crate uses another that uses it in turn, directly or through others. A parent and its descendants may.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::modules::{Crate, Edges, Id, Sources};

/// The groups of modules that reach each other, each with more than one member.
fn circles(edges: &Edges) -> Vec<BTreeSet<Id>> {
    let mut reached: BTreeMap<Id, BTreeSet<Id>> = BTreeMap::new();
    for (from, _) in edges.keys() {
        let mut open = vec![*from];
        let seen = reached.entry(*from).or_default();
        while let Some(id) = open.pop() {
            let next = edges.keys().filter(|(user, _)| *user == id).map(|(_, used)| *used);
            open.extend(next.filter(|used| seen.insert(*used)));
        }
    }
    let reaches = |from: &Id, to: &Id| reached.get(from).is_some_and(|seen| seen.contains(to));
    let mut groups = BTreeSet::new();
    for from in reached.keys().filter(|id| reaches(id, id)) {
        groups.insert(reached[from].iter().copied().filter(|to| reaches(to, from)).collect::<BTreeSet<_>>());
    }
    groups.into_iter().collect()
}

/// The circles of a crate in words, with the names that each module uses of the next.
fn report(root: &Path, sources: &Sources) -> String {
    let tree = Crate::read(root, sources);
    let edges = tree.edges();
    let mut report = String::new();
    for group in circles(&edges) {
        let _ = writeln!(report, "{}: {} modules use each other:", root.display(), group.len());
        for ((from, to), names) in &edges {
            if group.contains(from) && group.contains(to) {
                let names = names.iter().cloned().collect::<Vec<_>>().join(", ");
                let _ = writeln!(report, "  {} -> {} ({names})", tree.modules[*from].path, tree.modules[*to].path);
            }
        }
    }
    report
}

#[test]
fn modules_form_no_circle() {
    let sources: Sources = super::files("src-tauri", &[".rs"]).into_iter().collect();
    let is_root = |path: &&PathBuf| {
        path.parent().is_some_and(|folder| folder.ends_with("src"))
            && (path.ends_with("lib.rs") || path.ends_with("main.rs"))
    };
    let roots: Vec<&PathBuf> = sources.keys().filter(is_root).collect();
    assert!(roots.len() > 10, "the crates were not found: {roots:?}");
    let circles: String = roots.iter().map(|root| report(root, &sources)).collect();
    assert!(circles.is_empty(), "\n{circles}");
}

/// The circles of a crate that is made of these files.
fn of(files: &[(&str, &str)]) -> String {
    let sources = files.iter().map(|(path, source)| (Path::new("src").join(path), (*source).to_owned())).collect();
    report(Path::new("src/lib.rs"), &sources)
}

#[test]
fn each_way_to_use_a_module_is_seen() {
    let back = ("b.rs", "pub struct B; use crate::a::A;");
    for user in [
        "use crate::b::B;",
        "use super::b::{self as other}; fn f() -> other::B { todo!() }",
        "fn f(_: crate::b::B) {}",
        "fn f() { use super::b::B; }",
        "use super::*; fn f() -> B { todo!() }",
        "use crate::B;",
        "fn f() { let _ = vec![super::b::B]; }",
        "#[serde(default = \"crate::b::B::new\")] struct S;",
        "impl crate::b::B {}",
        "use super::b::*; fn f() -> B { todo!() }",
    ] {
        let a = format!("pub struct A; {user}");
        let circle = of(&[("lib.rs", "mod a; mod b; pub use b::B;"), ("a.rs", &a), back]);
        assert!(circle.contains("crate::a -> crate::b (B)"), "`{user}`: {circle}");
        assert!(circle.contains("crate::b -> crate::a (A)"), "`{user}`: {circle}");
    }
}

#[test]
fn an_import_through_a_facade_is_one_of_the_module_that_defines_it() {
    let lib = ("lib.rs", "mod kit; mod user;");
    let facade = ("kit/mod.rs", "mod one; mod two; pub use one::One; pub use two::*;");
    let one = ("kit/one.rs", "pub struct One; use crate::user::User;");
    let two = ("kit/two.rs", "pub struct Two;");
    assert_eq!(of(&[lib, facade, one, two, ("user.rs", "pub struct User; use crate::kit::Two;")]), "");
    let circle = of(&[lib, facade, one, two, ("user.rs", "pub struct User; use crate::kit::One;")]);
    assert!(circle.contains("2 modules") && circle.contains("crate::user -> crate::kit::one (One)"), "{circle}");
}

#[test]
fn a_longer_circle_is_found() {
    let circle = of(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "pub struct A; use crate::b::B;"),
        ("b.rs", "pub struct B; use crate::c::C;"),
        ("c.rs", "pub struct C; use crate::a::A;"),
    ]);
    assert!(circle.contains("3 modules"), "{circle}");
}

#[test]
fn a_parent_and_its_child_and_tests_make_no_circle() {
    let files = [
        ("lib.rs", "mod a; mod b; pub struct Root;"),
        ("a.rs", "mod child; pub struct A; use child::Child; #[cfg(test)] mod tests { use crate::b::B; }"),
        ("a/child.rs", "pub struct Child; use super::A; use crate::Root;"),
        ("b.rs", "pub struct B; use crate::a::A; fn a() { let a = 1; std::mem::drop(a); }"),
    ];
    assert_eq!(of(&files), "");
}

#[test]
fn what_only_tests_build_is_left_out() {
    let user = |condition: &str| format!("pub struct A; #[cfg({condition})] use crate::b::B;");
    for (condition, left_out) in [
        ("test", true),
        ("any(test, feature = \"fuzzing\")", true),
        ("all(test, unix)", true),
        ("not(test)", false),
        ("unix", false),
        ("any(test, unix)", false),
    ] {
        let b = ("b.rs", "pub struct B; use crate::a::A;");
        let circle = of(&[("lib.rs", "mod a; mod b;"), ("a.rs", &user(condition)), b]);
        assert_eq!(circle.is_empty(), left_out, "{condition}: {circle}");
    }
}
