//! Which metrics and labels a PromQL expression speaks of.

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{Expr, LabelModifier, VectorSelector, parse};

/// One place of an expression that selects series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// The metrics that it selects: one, or those that a regular expression on the name lists.
    pub metrics: Vec<String>,
    /// The labels that it selects by, with their values.
    pub labels: Vec<(String, String)>,
    /// Its range, if it selects one.
    pub range: Option<std::time::Duration>,
    /// The names of the functions and aggregations that it stands in, innermost first.
    pub inside: Vec<String>,
}

/// What is in an expression.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// All its selectors.
    pub selectors: Vec<Selector>,
    /// All labels of its `by`, `without`, `on`, `ignoring`, `group_left` and `group_right`.
    pub labels: Vec<String>,
    /// The names of all its functions and aggregations.
    pub functions: Vec<String>,
}

/// What is in this expression.
///
/// # Errors
/// If it is no PromQL.
pub fn contents(expression: &str) -> Result<Contents, String> {
    let tree = parse(expression)?;
    let mut contents = Contents::default();
    read(&tree, &mut Vec::new(), &mut contents);
    Ok(contents)
}

fn read(tree: &Expr, inside: &mut Vec<String>, contents: &mut Contents) {
    match tree {
        Expr::Aggregate(aggregate) => {
            if let Some(modifier) = &aggregate.modifier {
                contents
                    .labels
                    .extend(modifier.labels().labels.iter().cloned());
            }
            let name = aggregate.op.to_string();
            contents.functions.push(name.clone());
            inside.insert(0, name);
            if let Some(parameter) = &aggregate.param {
                read(parameter, inside, contents);
            }
            read(&aggregate.expr, inside, contents);
            inside.remove(0);
        }
        Expr::Call(call) => {
            let name = call.func.name.to_owned();
            contents.functions.push(name.clone());
            inside.insert(0, name);
            for argument in &call.args.args {
                read(argument, inside, contents);
            }
            inside.remove(0);
        }
        Expr::Binary(binary) => {
            if let Some(modifier) = &binary.modifier {
                let of_the_match = modifier.matching.iter().map(LabelModifier::labels);
                for labels in of_the_match.chain(modifier.card.labels()) {
                    contents.labels.extend(labels.labels.iter().cloned());
                }
            }
            read(&binary.lhs, inside, contents);
            read(&binary.rhs, inside, contents);
        }
        Expr::Unary(unary) => read(&unary.expr, inside, contents),
        Expr::Paren(paren) => read(&paren.expr, inside, contents),
        Expr::Subquery(subquery) => read(&subquery.expr, inside, contents),
        Expr::VectorSelector(selector) => {
            contents
                .selectors
                .push(selected(selector, None, inside.clone()));
        }
        Expr::MatrixSelector(matrix) => {
            contents
                .selectors
                .push(selected(&matrix.vs, Some(matrix.range), inside.clone()));
        }
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}

fn selected(
    selector: &VectorSelector,
    range: Option<std::time::Duration>,
    inside: Vec<String>,
) -> Selector {
    let mut metrics: Vec<String> = selector.name.iter().cloned().collect();
    let mut labels = Vec::new();
    for Matcher { op, name, value } in &selector.matchers.matchers {
        if name == "__name__" {
            let several = matches!(op, MatchOp::Re(_));
            metrics.extend(
                value
                    .split(|character| several && character == '|')
                    .map(str::to_owned),
            );
        } else {
            labels.push((name.clone(), value.clone()));
        }
    }
    Selector {
        metrics,
        labels,
        range,
        inside,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn selectors_are_found_wherever_they_stand() {
        let found = contents(
            "sum by (a) (rate(one_total{b=\"c\"}[1m])) / on (d) group_left (e) \
             max({__name__=~\"two|three\", f!=\"\"} > 0.5)",
        )
        .unwrap();
        assert_eq!(
            found.selectors,
            [
                Selector {
                    metrics: vec!["one_total".to_owned()],
                    labels: vec![("b".to_owned(), "c".to_owned())],
                    range: Some(Duration::from_mins(1)),
                    inside: vec!["rate".to_owned(), "sum".to_owned()],
                },
                Selector {
                    metrics: vec!["two".to_owned(), "three".to_owned()],
                    labels: vec![("f".to_owned(), String::new())],
                    range: None,
                    inside: vec!["max".to_owned()],
                },
            ]
        );
        assert_eq!(found.labels, ["d", "e", "a"]);
        assert_eq!(found.functions, ["sum", "rate", "max"]);
        assert!(contents("sum(").is_err());
    }
}
