//! The modules of a crate and what each uses of the others, read from the sources.
//!
//! A use is counted against the module that defines the item, however many re-exports the path goes through. Bodies of macros by
//! example are not read; the arguments of a macro call are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemUse, Meta, Token, UseTree};

/// The source files of a crate, by path.
pub(crate) type Sources = BTreeMap<PathBuf, String>;

/// An index into [`Crate::modules`].
pub(crate) type Id = usize;

/// Features that only tests and the fuzzer switch on.
const TEST_FEATURES: &[&str] = &["fuzzing"];

/// What a name of a module stands for.
enum Definition {
    Module(Id),
    Item,
    Import(Vec<String>),
}

/// What a path leads to: a module, or an item with the module that defines it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Module(Id),
    Item(Id, String),
}

pub(crate) struct Module {
    /// The full path, `crate` for the root.
    pub(crate) path: String,
    parent: Option<Id>,
    items: Vec<Item>,
    names: BTreeMap<String, Vec<Definition>>,
    /// The paths of `use …::*`.
    globs: Vec<Vec<String>>,
}

/// A crate's tree of modules, without the ones that are only there for tests.
pub(crate) struct Crate {
    pub(crate) modules: Vec<Module>,
}

/// For each pair of modules the names that the first uses of the second.
pub(crate) type Edges = BTreeMap<(Id, Id), BTreeSet<String>>;

impl Crate {
    /// Reads the crate whose root is `root`.
    pub(crate) fn read(root: &Path, sources: &Sources) -> Self {
        let mut tree = Self { modules: Vec::new() };
        let folder = root.parent().expect("a file lies in a folder");
        tree.add_file("crate".into(), None, root, folder, sources);
        for id in 0..tree.modules.len() {
            tree.collect_imports(id);
        }
        tree
    }

    fn add_file(&mut self, path: String, parent: Option<Id>, file: &Path, folder: &Path, sources: &Sources) -> Id {
        let source = sources.get(file).unwrap_or_else(|| panic!("module {path}: there is no {}", file.display()));
        let parsed = syn::parse_file(source).unwrap_or_else(|cause| panic!("{}: {cause}", file.display()));
        let beside = file.parent().expect("a file lies in a folder");
        self.add(path, parent, parsed.items, beside, folder, sources)
    }

    /// Adds a module and its children. `beside` is the folder of its file; `folder` is where the files of its children lie.
    fn add(
        &mut self,
        path: String,
        parent: Option<Id>,
        items: Vec<Item>,
        beside: &Path,
        folder: &Path,
        sources: &Sources,
    ) -> Id {
        let id = self.modules.len();
        let names = BTreeMap::new();
        self.modules.push(Module { path: path.clone(), parent, items: Vec::new(), names, globs: Vec::new() });
        let mut own = Vec::new();
        for item in items {
            if attributes(&item).is_some_and(only_for_tests) {
                continue;
            }
            let Item::Mod(module) = item else {
                if let Some(name) = item_name(&item) {
                    self.define(id, name, Definition::Item);
                }
                own.push(item);
                continue;
            };
            let name = module.ident.to_string();
            let child_path = format!("{path}::{name}");
            let child = if let Some((_, items)) = module.content {
                self.add(child_path, Some(id), items, beside, &folder.join(&name), sources)
            } else if let Some(written) = path_attribute(&module.attrs) {
                let file = beside.join(written);
                let folder = file.with_extension("");
                self.add_file(child_path, Some(id), &file, &folder, sources)
            } else {
                let flat = folder.join(&name).with_extension("rs");
                let file = if sources.contains_key(&flat) { flat } else { folder.join(&name).join("mod.rs") };
                self.add_file(child_path, Some(id), &file, &folder.join(&name), sources)
            };
            self.define(id, name, Definition::Module(child));
        }
        self.modules[id].items = own;
        id
    }

    fn define(&mut self, module: Id, name: String, definition: Definition) {
        self.modules[module].names.entry(name).or_default().push(definition);
    }

    /// Adds what the module imports, in its functions too.
    fn collect_imports(&mut self, id: Id) {
        struct Imports(Vec<Leaf>);
        impl Visit<'_> for Imports {
            fn visit_item_use(&mut self, item: &ItemUse) {
                self.0.extend(leaves(item));
            }
        }
        let mut imports = Imports(Vec::new());
        for item in &self.modules[id].items {
            imports.visit_item(item);
        }
        for leaf in imports.0 {
            match leaf.name {
                Some(name) => self.define(id, name, Definition::Import(leaf.path)),
                None if leaf.is_glob => self.modules[id].globs.push(leaf.path),
                None => {}
            }
        }
    }

    /// What a path in a module leads to; nothing if it leads out of the crate.
    fn resolve(&self, from: Id, path: &[String], seen: &mut BTreeSet<(Id, String)>) -> BTreeSet<Target> {
        let (mut targets, mut rest) = match path.first().map(String::as_str) {
            Some("crate") => (BTreeSet::from([Target::Module(0)]), &path[1..]),
            Some("self") => (BTreeSet::from([Target::Module(from)]), &path[1..]),
            Some("super") => {
                (self.modules[from].parent.into_iter().map(Target::Module).collect::<BTreeSet<_>>(), &path[1..])
            }
            Some(name) => (self.look_up(from, name, seen), &path[1..]),
            None => return BTreeSet::new(),
        };
        while let Some((name, after)) = rest.split_first() {
            rest = after;
            let mut next = BTreeSet::new();
            for target in targets {
                match target {
                    Target::Module(id) if name == "super" => {
                        next.extend(self.modules[id].parent.map(Target::Module));
                    }
                    Target::Module(id) => {
                        let found = self.look_up(id, name, seen);
                        // A name without an item comes from a macro or another crate. It counts as defined by the module in its path.
                        let macro_made = || BTreeSet::from([Target::Item(id, name.clone())]);
                        next.extend(if found.is_empty() { macro_made() } else { found });
                    }
                    // A variant, an associated item.
                    Target::Item(..) => {
                        next.insert(target);
                    }
                }
            }
            targets = next;
        }
        targets
    }

    fn look_up(&self, module: Id, name: &str, seen: &mut BTreeSet<(Id, String)>) -> BTreeSet<Target> {
        let mut found = BTreeSet::new();
        if !seen.insert((module, name.to_owned())) {
            return found;
        }
        let known = &self.modules[module];
        for definition in known.names.get(name).into_iter().flatten() {
            match definition {
                Definition::Module(id) => {
                    found.insert(Target::Module(*id));
                }
                Definition::Item => {
                    found.insert(Target::Item(module, name.to_owned()));
                }
                Definition::Import(path) => found.extend(self.resolve(module, path, seen)),
            }
        }
        if found.is_empty() && !known.names.contains_key(name) {
            for glob in &known.globs {
                for target in self.resolve(module, glob, &mut seen.clone()) {
                    if let Target::Module(id) = target {
                        found.extend(self.look_up(id, name, seen));
                    }
                }
            }
        }
        seen.remove(&(module, name.to_owned()));
        found
    }

    fn is_within(&self, inner: Id, outer: Id) -> bool {
        std::iter::successors(Some(inner), |id| self.modules[*id].parent).any(|id| id == outer)
    }

    /// Which module uses which, between ancestors and descendants left out.
    pub(crate) fn edges(&self) -> Edges {
        let mut edges = Edges::new();
        for (id, module) in self.modules.iter().enumerate() {
            let mut uses = Uses::default();
            for item in &module.items {
                uses.visit_item(item);
            }
            for path in uses.0 {
                for target in self.resolve(id, &path, &mut BTreeSet::new()) {
                    if let Target::Item(definer, name) = target
                        && !self.is_within(id, definer)
                        && !self.is_within(definer, id)
                    {
                        edges.entry((id, definer)).or_default().insert(name);
                    }
                }
            }
        }
        edges
    }
}

/// One import of a `use`.
struct Leaf {
    path: Vec<String>,
    /// The name it gets here, if it gets one.
    name: Option<String>,
    is_glob: bool,
}

fn leaves(item: &ItemUse) -> Vec<Leaf> {
    fn walk(tree: &UseTree, prefix: &[String], leaves: &mut Vec<Leaf>) {
        let with = |name: String| prefix.iter().cloned().chain([name]).collect::<Vec<_>>();
        match tree {
            UseTree::Path(path) => walk(&path.tree, &with(path.ident.to_string()), leaves),
            UseTree::Group(group) => group.items.iter().for_each(|tree| walk(tree, prefix, leaves)),
            UseTree::Glob(_) => leaves.push(Leaf { path: prefix.to_vec(), name: None, is_glob: true }),
            UseTree::Name(name) if name.ident == "self" => {
                leaves.push(Leaf { path: prefix.to_vec(), name: prefix.last().cloned(), is_glob: false });
            }
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                leaves.push(Leaf { path: with(name.clone()), name: Some(name), is_glob: false });
            }
            UseTree::Rename(rename) => {
                let own = rename.ident == "self";
                let path = if own { prefix.to_vec() } else { with(rename.ident.to_string()) };
                let name = (rename.rename != "_").then(|| rename.rename.to_string());
                leaves.push(Leaf { path, name, is_glob: false });
            }
        }
    }
    let mut found = Vec::new();
    if item.leading_colon.is_none() && !only_for_tests(&item.attrs) {
        walk(&item.tree, &[], &mut found);
    }
    found
}

/// The paths that are written in an item.
#[derive(Default)]
struct Uses(BTreeSet<Vec<String>>);

impl Uses {
    fn add(&mut self, path: &syn::Path) {
        if path.leading_colon.is_none() {
            self.0.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
    }

    /// Paths in tokens: `a::b`, and single names that are written like types or constants.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        // The tokens before the current one that are no part of a path: `.` before a method, `$` before a macro's variable.
        let (mut colons, mut barred) = (0, false);
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.end(&mut path);
                    }
                    if !barred || !path.is_empty() {
                        path.push(name.to_string());
                    }
                    (colons, barred) = (0, false);
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => {
                    colons += 1;
                    // `::name` with nothing before leads out of the crate.
                    barred |= path.is_empty();
                }
                TokenTree::Punct(mark) => {
                    self.end(&mut path);
                    (colons, barred) = (0, matches!(mark.as_char(), '.' | '$'));
                }
                TokenTree::Group(group) => {
                    self.end(&mut path);
                    (colons, barred) = (0, false);
                    self.add_tokens(group.stream());
                }
                TokenTree::Literal(_) => {
                    self.end(&mut path);
                    (colons, barred) = (0, false);
                }
            }
        }
        self.end(&mut path);
    }

    fn end(&mut self, path: &mut Vec<String>) {
        let path = std::mem::take(path);
        if path.len() > 1 || path.first().is_some_and(|name| name.starts_with(|c: char| c.is_ascii_uppercase())) {
            self.0.insert(path);
        }
    }

    /// Paths in the string arguments of an attribute, as in `#[serde(default = "crate::a::b")]`.
    fn add_quoted(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.add_quoted(group.stream()),
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    if let Ok(path) = syn::parse_str::<syn::Path>(text.trim_matches('"'))
                        && path.segments.len() > 1
                    {
                        self.add(&path);
                    }
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }
}

impl<'a> Visit<'a> for Uses {
    fn visit_item(&mut self, item: &'a Item) {
        let by_example = matches!(item, Item::Macro(definition) if definition.ident.is_some());
        if !by_example && !attributes(item).is_some_and(only_for_tests) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'a syn::ImplItemFn) {
        if !only_for_tests(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_field(&mut self, field: &'a syn::Field) {
        if !only_for_tests(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        self.0.extend(leaves(item).into_iter().map(|leaf| leaf.path));
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        // A single small name is a variable as a rule. A function that is called, and one that was imported, is counted elsewhere.
        let first = path.segments.first().map(|segment| segment.ident.to_string()).unwrap_or_default();
        if path.segments.len() > 1 || first.starts_with(|c: char| c.is_ascii_uppercase()) {
            self.add(path);
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_call(&mut self, call: &'a syn::ExprCall) {
        if let syn::Expr::Path(function) = &*call.func {
            self.add(&function.path);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_macro(&mut self, call: &'a syn::Macro) {
        self.visit_path(&call.path);
        self.add_tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'a Attribute) {
        if attribute.path().is_ident("doc") {
            return;
        }
        if let Meta::List(list) = &attribute.meta {
            self.add_tokens(list.tokens.clone());
            self.add_quoted(list.tokens.clone());
        }
    }
}

fn attributes(item: &Item) -> Option<&[Attribute]> {
    Some(match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => return None,
    })
}

fn item_name(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    let path = attributes.iter().find(|attribute| attribute.path().is_ident("path"))?;
    let Meta::NameValue(pair) = &path.meta else { return None };
    let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) = &pair.value else { return None };
    Some(path.value())
}

fn only_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = attribute.path().is_ident("cfg").then(|| attribute.parse_args::<Meta>());
        matches!(condition, Some(Ok(condition)) if holds(&condition) == Some(false))
    })
}

/// Whether a `cfg` condition holds in a build without tests; `None` if that depends on the platform or on a feature.
fn holds(condition: &Meta) -> Option<bool> {
    let parts = |list: &syn::MetaList| {
        let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
        parts.expect("a cfg condition").iter().map(holds).collect::<Vec<_>>()
    };
    match condition {
        Meta::Path(path) if path.is_ident("test") => Some(false),
        Meta::NameValue(pair) if pair.path.is_ident("feature") => {
            let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(feature), .. }) = &pair.value else { return None };
            TEST_FEATURES.contains(&feature.value().as_str()).then_some(false)
        }
        Meta::List(list) if list.path.is_ident("not") => parts(list).first().copied().flatten().map(|holds| !holds),
        Meta::List(list) if list.path.is_ident("all") => {
            let parts = parts(list);
            if parts.contains(&Some(false)) { Some(false) } else { None }
        }
        Meta::List(list) if list.path.is_ident("any") => {
            parts(list).iter().all(|part| *part == Some(false)).then_some(false)
        }
        _ => None,
    }
}
