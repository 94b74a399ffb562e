//! The modules of a crate, which of them names items of which, and the circles among them.
//!
//! A module is a file; one that stands within a file belongs to it. A file depends on another if
//! its product code names an item that is defined there:
//!
//! - Code under `#[cfg(test)]` does not count. Tests may look at everything.
//! - Declaring a module does not count, and neither does re-exporting from it (`pub use`): that is
//!   a door. A re-exported name that is also used in the same file does count.
//! - Whoever goes through such a door depends on the file behind it, and not on the door.
//!
//! So a parent that uses its children, and defines what they use, is in a circle with them, and one
//! that only declares and re-exports them is not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

/// A path as it is written, or where a module stands in its crate.
type Segments = Vec<String>;

/// Items begin with one of these, and their name follows.
const ITEM_KEYWORDS: [&str; 9] = [
    "const",
    "enum",
    "fn",
    "macro_rules",
    "static",
    "struct",
    "trait",
    "type",
    "union",
];

/// How many imports lead from a name to its definition at most.
const LONGEST_WAY: usize = 16;

/// One module of a crate.
#[derive(Debug, Default)]
struct Module {
    file: PathBuf,
    /// Names of its items.
    items: BTreeSet<String>,
    /// What it imports, by the name that it has here.
    imports: BTreeMap<String, Segments>,
    /// Modules all of whose names it imports.
    globs: Vec<Segments>,
    /// Paths that its code names.
    named: Vec<Segments>,
    /// What it re-exports, by the name that it has here.
    exported: BTreeMap<String, Segments>,
    /// What its code outside imports calls, and its types.
    words: BTreeSet<String>,
}

/// The text of a file; None if there is no such file.
type Source<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// The modules of a crate.
#[derive(Debug, Default)]
pub struct Modules {
    modules: BTreeMap<Segments, Module>,
}

impl Modules {
    /// Reads the crate that begins with this file.
    ///
    /// # Panics
    /// If a module has no file, or one is not Rust.
    pub fn read(crate_root: &Path, source: &dyn Fn(&Path) -> Option<String>) -> Self {
        let mut read = Self::default();
        let text = source(crate_root)
            .unwrap_or_else(|| panic!("there is no file {}", crate_root.display()));
        read.file(crate_root, Vec::new(), &text, source);
        read
    }

    fn file(&mut self, file: &Path, at: Segments, text: &str, source: Source<'_>) {
        let tokens: TokenStream = text
            .parse()
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.module(file, at, tokens, source);
    }

    fn module(&mut self, file: &Path, at: Segments, tokens: TokenStream, source: Source<'_>) {
        let mut module = Module {
            file: file.to_path_buf(),
            ..Module::default()
        };
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut position = 0;
        let mut is_public = false;
        while position < tokens.len() {
            if let Some(attribute) = attribute(&tokens[position..]) {
                position += attribute.length;
                if attribute.is_test {
                    position += item_length(&tokens[position..]);
                } else {
                    named(attribute.tokens, &mut module);
                }
                continue;
            }
            match word(&tokens, position).as_deref() {
                Some("pub") => {
                    is_public = true;
                    position += 1;
                    // As in `pub(crate)`.
                    position += usize::from(is_group(tokens.get(position), Delimiter::Parenthesis));
                    continue;
                }
                Some("async" | "unsafe" | "extern") => {
                    position += 1;
                    continue;
                }
                Some("use") => {
                    let length = item_length(&tokens[position..]);
                    let tree = &tokens[position + 1..position + length];
                    imports(tree, &Vec::new(), is_public, &mut module);
                    position += length;
                }
                Some("mod") => {
                    let name = word(&tokens, position + 1).expect("a module has a name");
                    let child = [at.clone(), vec![name.clone()]].concat();
                    if let Some(TokenTree::Group(body)) = tokens.get(position + 2) {
                        self.module(file, child, body.stream(), source);
                    } else {
                        let (path, text) = file_of(file, &at, &name, source);
                        self.file(&path, child, &text, source);
                    }
                    position += 3;
                }
                found => {
                    if found.is_some_and(|word| ITEM_KEYWORDS.contains(&word)) {
                        // As in `const fn name` and `macro_rules! name`.
                        let name = (position + 1..tokens.len())
                            .filter_map(|next| word(&tokens, next))
                            .find(|word| !ITEM_KEYWORDS.contains(&word.as_str()));
                        module.items.extend(name);
                    }
                    let length = item_length(&tokens[position..]);
                    let item = &tokens[position..position + length];
                    named(item.iter().cloned().collect(), &mut module);
                    position += length;
                }
            }
            is_public = false;
        }
        self.modules.insert(at, module);
    }

    /// Which files of the crate depend on which, and by which name.
    fn arrows(&self) -> BTreeMap<&Path, BTreeMap<&Path, String>> {
        let mut arrows: BTreeMap<&Path, BTreeMap<&Path, String>> = BTreeMap::new();
        for (at, module) in &self.modules {
            let from = arrows.entry(module.file.as_path()).or_default();
            let used_exports = module
                .exported
                .iter()
                .filter(|(name, _)| module.words.contains(*name))
                .map(|(_, path)| path);
            for path in module.named.iter().chain(used_exports) {
                let Some(definition) = self.definition(at, path, 0) else {
                    continue;
                };
                let to = self.modules[&definition].file.as_path();
                if to != module.file {
                    from.entry(to).or_insert_with(|| path.join("::"));
                }
            }
        }
        arrows
    }

    /// The module in which what a path names is defined; None if that is not in this crate.
    fn definition(&self, from: &Segments, path: &[String], way: usize) -> Option<Segments> {
        let (first, rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => Vec::new(),
            "self" => from.clone(),
            "super" => from[..from.len().checked_sub(1)?].to_vec(),
            _ => return self.of_name(from, path, way),
        };
        let mut rest = rest;
        while let Some((next, others)) = rest.split_first() {
            if next != "super" {
                return self.of_name(&at, rest, way);
            }
            at.pop()?;
            rest = others;
        }
        Some(at)
    }

    /// Where the path's first name stands for something in this module.
    fn of_name(&self, at: &Segments, path: &[String], way: usize) -> Option<Segments> {
        let (name, rest) = path.split_first()?;
        if way > LONGEST_WAY {
            return None;
        }
        let child = [at.clone(), vec![name.clone()]].concat();
        let module = &self.modules[at];
        if self.modules.contains_key(&child) {
            return if rest.is_empty() {
                Some(child)
            } else {
                self.of_name(&child, rest, way).or(Some(child))
            };
        }
        if module.items.contains(name) {
            return Some(at.clone());
        }
        if let Some(import) = module
            .imports
            .get(name)
            .or_else(|| module.exported.get(name))
        {
            let path = [import.as_slice(), rest].concat();
            return self.definition(at, &path, way + 1);
        }
        module.globs.iter().find_map(|glob| {
            let behind = self.definition(at, glob, way + 1)?;
            (behind != *at)
                .then(|| self.of_name(&behind, path, way + 1))
                .flatten()
        })
    }

    /// The circles: sets of files each of which depends, over others, on each other one.
    pub fn circles(&self) -> Vec<Circle> {
        let arrows = self.arrows();
        let reached: BTreeMap<&Path, BTreeSet<&Path>> = arrows
            .keys()
            .map(|file| (*file, reached_from(file, &arrows)))
            .collect();
        let mut circles: Vec<Circle> = Vec::new();
        for (file, reached_from_it) in &reached {
            let files: BTreeSet<PathBuf> = reached_from_it
                .iter()
                .filter(|other| reached[**other].contains(file))
                .map(|file| file.to_path_buf())
                .collect();
            if files.len() < 2 || circles.iter().any(|circle| circle.files == files) {
                continue;
            }
            let arrows = files
                .iter()
                .flat_map(|from| arrows[from.as_path()].iter().map(move |to| (from, to)))
                .filter(|(_, (to, _))| files.contains(**to))
                .map(|(from, (to, name))| {
                    format!("{} -> {} ({name})", from.display(), to.display())
                })
                .collect();
            circles.push(Circle { files, arrows });
        }
        circles
    }
}

/// Files of a crate that depend on each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circle {
    /// Which, below the root of the repository.
    pub files: BTreeSet<PathBuf>,
    /// Which names which, by what.
    pub arrows: Vec<String>,
}

fn reached_from<'a>(
    file: &'a Path,
    arrows: &BTreeMap<&'a Path, BTreeMap<&'a Path, String>>,
) -> BTreeSet<&'a Path> {
    let mut reached = BTreeSet::new();
    let mut next = vec![file];
    while let Some(file) = next.pop() {
        for to in arrows[file].keys() {
            if reached.insert(*to) {
                next.push(to);
            }
        }
    }
    reached
}

/// The file of a module that is declared in another, and its text.
fn file_of(file: &Path, at: &[String], name: &str, source: Source<'_>) -> (PathBuf, String) {
    let folder = if at.is_empty() || file.ends_with("mod.rs") {
        file.parent().unwrap_or(Path::new("")).to_path_buf()
    } else {
        file.with_extension("")
    };
    [
        folder.join(format!("{name}.rs")),
        folder.join(name).join("mod.rs"),
    ]
    .into_iter()
    .find_map(|path| source(&path).map(|text| (path, text)))
    .unwrap_or_else(|| panic!("{} declares {name}, which has no file", file.display()))
}

/// An attribute at the head of some tokens.
struct Attribute {
    length: usize,
    /// What follows it is there in tests only.
    is_test: bool,
    tokens: TokenStream,
}

fn attribute(tokens: &[TokenTree]) -> Option<Attribute> {
    let TokenTree::Punct(hash) = tokens.first()? else {
        return None;
    };
    let is_inner = matches!(tokens.get(1), Some(TokenTree::Punct(mark)) if mark.as_char() == '!');
    let length = 2 + usize::from(is_inner);
    let TokenTree::Group(body) = tokens.get(length - 1)? else {
        return None;
    };
    let text = body.stream().to_string().replace(' ', "");
    (hash.as_char() == '#').then(|| Attribute {
        length,
        is_test: !is_inner
            && (text == "test" || text == "cfg(test)" || text.starts_with("cfg(all(test,")),
        tokens: body.stream(),
    })
}

/// How many tokens the item at the head of these has, with its attributes.
fn item_length(tokens: &[TokenTree]) -> usize {
    let mut length = 0;
    while let Some(attribute) = attribute(&tokens[length..]) {
        length += attribute.length;
    }
    // These end with a semicolon even if braces come before it.
    let mut is_statement = false;
    for token in &tokens[length..] {
        length += 1;
        match token {
            TokenTree::Ident(word) if word == "use" || word == "static" || word == "const" => {
                is_statement = true;
            }
            TokenTree::Ident(word) if word == "fn" || word == "impl" || word == "trait" => {
                is_statement = false;
            }
            TokenTree::Punct(mark) if mark.as_char() == ';' => break,
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && !is_statement => {
                break;
            }
            _ => {}
        }
    }
    length.max(1)
}

/// Reads the tree of a `use`.
fn imports(tree: &[TokenTree], before: &Segments, is_public: bool, module: &mut Module) {
    for branch in tree.split(|token| is_mark(Some(token), ',') || is_mark(Some(token), ';')) {
        let mut path = before.clone();
        let mut name = None;
        let mut tokens = branch.iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(word) if word == "as" => {
                    name = tokens.next().map(ToString::to_string);
                }
                TokenTree::Ident(word) if word == "self" && !path.is_empty() => {}
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Punct(mark) if mark.as_char() == '*' => {
                    module.globs.push(path.clone());
                    if !is_public {
                        module.named.push(path.clone());
                    }
                    path.clear();
                }
                TokenTree::Group(group) => {
                    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                    imports(&inner, &path, is_public, module);
                    path.clear();
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
        let Some(last) = path.last().cloned() else {
            continue;
        };
        let name = name.unwrap_or(last);
        if is_public {
            module.exported.insert(name, path);
        } else {
            module.imports.insert(name, path.clone());
            module.named.push(path);
        }
    }
}

/// Notes the paths and words of some code.
fn named(code: TokenStream, module: &mut Module) {
    let tokens: Vec<TokenTree> = code.into_iter().collect();
    let mut position = 0;
    while position < tokens.len() {
        match &tokens[position] {
            TokenTree::Group(group) => named(group.stream(), module),
            TokenTree::Ident(ident) => {
                let is_field = position > 0 && is_mark(tokens.get(position - 1), '.');
                if !is_field {
                    let name = ident.to_string();
                    // What is not called and not a type may be a field or a variable.
                    let is_type = name.starts_with(char::is_uppercase);
                    if is_type || is_group(tokens.get(position + 1), Delimiter::Parenthesis) {
                        module.words.insert(name);
                    }
                    position += path(ident, &tokens[position..], module);
                    continue;
                }
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
        position += 1;
    }
}

/// Notes the path at the head of these tokens, and gives its length.
fn path(first: &Ident, tokens: &[TokenTree], module: &mut Module) -> usize {
    let mut path = vec![first.to_string()];
    let mut position = 1;
    while is_mark(tokens.get(position), ':') && is_mark(tokens.get(position + 1), ':') {
        match tokens.get(position + 2) {
            Some(TokenTree::Ident(next)) => path.push(next.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let tree: Vec<TokenTree> = group.stream().into_iter().collect();
                imports(&tree, &path, false, module);
                return position + 3;
            }
            _ => break,
        }
        position += 3;
    }
    if path.len() > 1 {
        module.named.push(path);
    }
    position
}

fn word(tokens: &[TokenTree], at: usize) -> Option<String> {
    match tokens.get(at)? {
        TokenTree::Ident(word) => Some(word.to_string()),
        TokenTree::Group(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => None,
    }
}

fn is_mark(token: Option<&TokenTree>, mark: char) -> bool {
    matches!(token, Some(TokenTree::Punct(found)) if found.as_char() == mark)
}

fn is_group(token: Option<&TokenTree>, delimiter: Delimiter) -> bool {
    matches!(token, Some(TokenTree::Group(group)) if group.delimiter() == delimiter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let source = |path: &Path| {
            let mut files = files.iter();
            let found = files.find(|(file, _)| Path::new(file) == path);
            found.map(|(_, text)| (*text).to_owned())
        };
        Modules::read(Path::new("src/lib.rs"), &source)
            .circles()
            .into_iter()
            .map(|circle| {
                let files: Vec<String> = circle
                    .files
                    .iter()
                    .map(|file| file.strip_prefix("src").unwrap().display().to_string())
                    .collect();
                files.join(" ")
            })
            .collect()
    }

    #[test]
    fn circles_are_found_however_a_name_is_reached() {
        for (title, b) in [
            ("an import", "use crate::a::A; pub struct B(A);"),
            ("an import of a module", "use crate::a; pub struct B(a::A);"),
            (
                "a group",
                "use crate::{a::{A as Other}}; pub struct B(Other);",
            ),
            ("everything", "use super::a::*; pub struct B(A);"),
            ("a path", "pub struct B(crate::a::A);"),
            (
                "within a function",
                "pub struct B; fn f() { super::a::f(); }",
            ),
            (
                "within a macro",
                "pub struct B; fn f() { assert!(crate::a::f()); }",
            ),
            (
                "within an attribute",
                "#[x(y = crate::a::f())] pub struct B;",
            ),
            ("through the root's door", "use crate::A; pub struct B(A);"),
            (
                "through a door within a door",
                "use crate::door::A; pub struct B(A);",
            ),
            (
                "from a module within the file",
                "pub struct B; mod c { use super::super::a::A; }",
            ),
        ] {
            let files = [
                (
                    "src/lib.rs",
                    "mod a; mod b; mod door { pub use super::a::*; } pub use a::A;",
                ),
                (
                    "src/a.rs",
                    "use crate::b::B; pub struct A(Box<B>); pub fn f() {}",
                ),
                ("src/b.rs", b),
            ];
            assert_eq!(circles(&files), ["a.rs b.rs"], "{title}");
        }
    }

    #[test]
    fn a_parent_is_in_a_circle_with_its_child_if_each_needs_the_other() {
        let child = "use super::Shared; pub fn step(shared: Shared) {}";
        for (title, parent, expected) in [
            (
                "calls it",
                "mod child; pub struct Shared; fn f() { child::step(Shared) }",
                &["a/child.rs a/mod.rs"][..],
            ),
            (
                "imports it",
                "mod child; use child::step; pub struct Shared;",
                &["a/child.rs a/mod.rs"],
            ),
            (
                "re-exports and uses it",
                "mod child; pub use child::step; pub struct Shared; fn f() { step(Shared) }",
                &["a/child.rs a/mod.rs"],
            ),
            (
                "re-exports it and has a field of its name",
                "mod child; pub use child::step; pub struct Shared { step: u8 } fn f(s: Shared) -> u8 { s.step }",
                &[],
            ),
            (
                "only re-exports it",
                "mod child; pub use child::step; pub struct Shared;",
                &[],
            ),
            ("only declares it", "pub mod child; pub struct Shared;", &[]),
            (
                "uses it in tests",
                "mod child; pub struct Shared; #[cfg(test)] mod tests { use super::child::step; }",
                &[],
            ),
            (
                "defines nothing",
                "mod child; use crate::shared::Shared; fn f() { child::step(Shared) }",
                &[],
            ),
        ] {
            let files = [
                ("src/lib.rs", "mod a; mod shared;"),
                ("src/a/mod.rs", parent),
                ("src/a/child.rs", child),
                ("src/shared.rs", "pub struct Shared;"),
            ];
            assert_eq!(circles(&files), expected, "{title}");
        }
    }
}
