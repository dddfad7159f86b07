//! Scopes: a pattern without wildcards that is the name of no variable, but what names begin with before a `/`, means
//! everything in that scope. `bert=encoder` is then taken as `bert/**=encoder/**`.

use std::borrow::Cow;

use super::{
    Map,
    escape::escape,
    pattern::Pattern,
    place::Written,
    rule::{Matcher, Rule, Verb},
    template::Template,
};

/// The verbs whose patterns may name a scope.
const VERBS: &[Verb] = &[Verb::Rename, Verb::Alias, Verb::Drop, Verb::Keep];

/// Returns the map with its rules as they are taken for these names, which come sorted.
pub(super) fn with_scopes<'m>(map: &'m Map, names: &[&[u8]]) -> Cow<'m, Map> {
    replaced(map, |_, rule| rule.of_scope(names))
}

/// Returns the map with those rules replaced for which there is another.
pub(super) fn replaced(map: &Map, other: impl Fn(usize, &Rule) -> Option<Rule>) -> Cow<'_, Map> {
    let mut replaced = Cow::Borrowed(map);
    for (at, rule) in map.rules.iter().enumerate() {
        if let Some(rule) = other(at, rule) {
            replaced.to_mut().rules[at] = rule;
        }
    }
    replaced
}

impl Rule {
    /// Returns whether its pattern may name a scope.
    pub(super) fn may_be_scope(&self) -> bool {
        VERBS.contains(&self.verb)
    }

    /// Returns the rule for everything in a scope, if that is what its pattern names among these names, which come sorted.
    pub(super) fn of_scope(&self, names: &[&[u8]]) -> Option<Self> {
        let pattern = self.pattern().filter(|_| self.may_be_scope())?;
        let below = Pattern::parse(&in_scope(pattern.literal()?), pattern.ignore_case).ok()?;
        let is_scope =
            !has_match(pattern, pattern.literal()?, names) && has_match(&below, below.literal_head(), names);
        if !is_scope {
            return None;
        }
        let target = |(template, written): &(Template, Written)| {
            let text = in_scope(&template.literal()?);
            let template = Template::parse(&text, &below, &[]).ok()?;
            Some((template, Written::made(text, written.place.clone())))
        };
        let targets = self.targets.iter().map(target).collect::<Option<Vec<_>>>()?;
        let from = vec![Written::made(below.text.clone(), self.place().clone())];
        Some(Self { matcher: Matcher::Pattern(below), ..self.clone() }.spelled(from, targets))
    }
}

/// Returns the pattern, or the target, for everything in a scope; for the scope without a name `**`.
fn in_scope(scope: &str) -> String {
    match scope.trim_end_matches('/') {
        "" => "**".into(),
        scope => format!("{}/**", escape(scope)),
    }
}

/// Returns whether a pattern matches a name. All its matches begin with `head`, unless it ignores case.
fn has_match(pattern: &Pattern, head: &str, names: &[&[u8]]) -> bool {
    if pattern.ignore_case {
        return names.iter().any(|name| pattern.is_match(name));
    }
    let first = names.partition_point(|name| *name < head.as_bytes());
    names.get(first).is_some_and(|name| pattern.is_match(name))
}

#[cfg(test)]
mod tests {
    use super::super::{
        Flag,
        trial::{plan, planned, unfit},
    };

    const BERT: &[&str] = &["bert/a/w", "bert/a/w/Adam", "bert/b", "bert.c", "bertx/d", "step"];

    #[track_caller]
    fn same(short: &[Flag], long: &[Flag]) {
        assert_eq!(planned(short, "", BERT), planned(long, "", BERT));
        let text = |flags| plan(flags, "", BERT).unwrap().report.rules.swap_remove(0).text;
        assert_eq!(text(short), text(long));
    }

    #[test]
    fn a_scope_means_all_that_is_in_it_and_the_report_says_so() {
        for verb in [Flag::Rename, Flag::Alias] {
            same(&[verb("bert=encoder".into())], &[verb("bert/**=encoder/**".into())]);
            same(&[verb("bert/=m/encoder/".into())], &[verb("bert/**=m/encoder/**".into())]);
        }
        same(&[Flag::Rename("bert/a=a".into())], &[Flag::Rename("bert/a/**=a/**".into())]);
        same(&[Flag::Drop("bert".into())], &[Flag::Drop("bert/**".into())]);
        same(&[Flag::Keep("bert/".into())], &[Flag::Keep("bert/**".into())]);
        let report = plan(&[Flag::Rename("bert=encoder".into())], "", BERT).unwrap().report;
        assert_eq!(report.rules[0].text, "rename 'bert/**' -> 'encoder/**'");
    }

    #[test]
    fn in_a_file_it_means_the_same_and_each_target_is_a_scope() {
        let text =
            "[[rule]]\nalias = 'BERT'\nto = ['x', 'y/z']\nignore_case = true\n[[rule]]\nkeep = 'bert/b'\n";
        assert_eq!(planned(&[], text, BERT), ["bert/b <- bert/b", "x/b <- bert/b", "y/z/b <- bert/b"]);
    }

    #[test]
    fn slots_follow_what_is_renamed_by_its_scope() {
        let names = ["Adam/net/w/m", "net/w", "net/w/Adam"];
        assert_eq!(
            planned(&[Flag::Rename("net=model".into())], "", &names),
            ["Adam/model/w/m <- Adam/net/w/m", "model/w <- net/w", "model/w/Adam <- net/w/Adam"]
        );
    }

    #[test]
    fn a_variable_of_that_name_wins() {
        let names = ["dense", "dense/Adam", "dense/kernel"];
        assert_eq!(
            planned(&[Flag::Rename("dense=v".into())], "", &names),
            ["dense/kernel <- dense/kernel", "v <- dense", "v/Adam <- dense/Adam"]
        );
    }

    #[test]
    fn characters_with_a_meaning_stay_characters() {
        assert_eq!(
            planned(&[Flag::Rename(r"a\*\{=\*$2".replace("$2", r"\$2"))], "", &["a*{/w"]),
            ["*$2/w <- a*{/w"]
        );
    }

    #[test]
    fn the_beginning_of_a_component_is_no_scope_and_other_verbs_have_none() {
        for flag in [Flag::Drop("ber".into()), Flag::Drop("re:bert".into()), Flag::Cast("bert=half".into())] {
            assert!(unfit(&[flag], "", BERT).to_string().contains("matched none of 6 variables"));
        }
    }
}
