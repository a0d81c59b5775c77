use super::*;
use crate::grammar::Affine;
use crate::seeded;

/// Enumerates a nest in the plain way: recursion over ranges evaluated with [`Affine::value`].
fn enumerate(ranges: &[Range], variables: &mut Vec<i64>, found: &mut Vec<Vec<i64>>) {
    let Some((range, inner)) = ranges.split_first() else {
        found.push(variables.clone());
        return;
    };
    let values: Vec<i64> = match range {
        Range::Affine { from, to } => {
            let low = from.iter().map(|form| form.value(variables)).max().unwrap();
            let high = to.iter().map(|form| form.value(variables)).min().unwrap();
            (low..high).collect()
        }
        Range::Listed { lists, select } => {
            lists[select.value(variables) as usize].iter().map(|value| i64::from(*value)).collect()
        }
        Range::Seeded { of, keep_per_million, select, seed } => {
            let draw = seeded::family(*seed, select.value(variables));
            (0..*of)
                .filter(|value| seeded::is_kept(draw, *value, *keep_per_million))
                .map(|value| value as i64)
                .collect()
        }
    };
    for value in values {
        variables.push(value);
        enumerate(inner, variables, found);
        variables.pop();
    }
}

/// A padded 3×3 window over 5 rows and columns, a pruned list and a seeded range, with empty inner ranges.
fn awkward_nest() -> Vec<Range> {
    let window = |variable| Range::Affine {
        from: vec![Affine::constant(0), Affine::variable(variable).plus_constant(-1)],
        to: vec![Affine::constant(5), Affine::variable(variable).plus_constant(2)],
    };
    vec![
        Range::count(5),
        Range::Affine { from: vec![Affine::variable(0)], to: vec![Affine::constant(4)] },
        window(0),
        Range::Listed {
            lists: vec![vec![], vec![1, 4, 9], vec![], vec![0], vec![]],
            select: Affine::variable(2),
        },
        Range::Seeded { of: 6, keep_per_million: 300_000, select: Affine::variable(2).plus(3, 7), seed: 11 },
    ]
}

fn values(scope: &Scope, count: usize) -> Vec<i64> {
    scope.values()[..count].to_vec()
}

#[test]
fn walk_visits_what_plain_recursion_visits() {
    let ranges = awkward_nest();
    let (mut expected, mut scope, mut found) = (Vec::new(), Scope::new(), Vec::new());
    enumerate(&ranges, &mut Vec::new(), &mut expected);

    let nest = Nest::new(&ranges, 0).unwrap();
    let mut more = nest.start(&mut scope);
    while more {
        found.push(values(&scope, ranges.len()));
        more = nest.advance(&mut scope);
    }

    assert!(expected.len() > 20, "{}", expected.len());
    assert_eq!(found, expected);
}

#[test]
fn count_and_seek_agree_with_the_walk() {
    let ranges = awkward_nest();
    let (mut expected, mut scope) = (Vec::new(), Scope::new());
    enumerate(&ranges, &mut Vec::new(), &mut expected);

    let nest = Nest::new(&ranges, 0).unwrap();

    assert_eq!(nest.count(&mut scope), expected.len() as u64);
    for (iteration, values_there) in expected.iter().enumerate() {
        assert!(nest.seek(&mut scope, iteration as u64));
        assert_eq!(values(&scope, ranges.len()), *values_there);
        assert_eq!(nest.advance(&mut scope), iteration + 1 < expected.len());
    }
    assert!(!nest.seek(&mut scope, expected.len() as u64));
}

#[test]
fn nest_without_ranges_has_one_iteration() {
    let (nest, mut scope) = (Nest::new(&[], 3).unwrap(), Scope::new());

    assert_eq!(nest.count(&mut scope), 1);
    assert!(nest.start(&mut scope) && !nest.advance(&mut scope));
    assert!(nest.seek(&mut scope, 0) && !nest.seek(&mut scope, 1));
}

#[test]
fn count_of_independent_ranges_multiplies_without_walking() {
    let ranges = [Range::count(1 << 40), Range::count(1 << 20)];

    let nest = Nest::new(&ranges, 0).unwrap();

    assert_eq!(nest.count(&mut Scope::new()), 1 << 60);
    let mut scope = Scope::new();
    assert!(nest.seek(&mut scope, (1 << 60) - 1));
    assert_eq!(values(&scope, 2), [(1 << 40) - 1, (1 << 20) - 1]);
}

#[test]
fn forms_of_many_terms_equal_the_affine_value() {
    let affine =
        (0..12).fold(Affine::constant(-5), |sum, variable| sum.plus(variable, i64::from(variable) + 1));
    let mut scope = Scope::new();
    for variable in 0..12 {
        scope.set(variable, 100 - variable as i64);
    }

    let form = Form::new(&affine, 12).unwrap();

    assert_eq!(form.value(&scope), affine.value(&scope.values()[..]));
    assert_eq!(form.dependencies(), 0xfff);
}

#[test]
fn last_variable_in_scope_is_accepted_and_the_next_refused() {
    assert!(Form::new(&Affine::variable(3), 4).is_ok());
    assert!(Form::new(&Affine::variable(4), 4).is_err());
    assert!(Nest::new(&vec![Range::count(1); 32], 0).is_ok());
    assert!(Nest::new(&vec![Range::count(1); 32], 1).is_err());
}
