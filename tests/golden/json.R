# Lists of numbers and text as JSON, as many digits as it takes to read the same number back, infinite ends as null. Base R has no such writer.
json <- function(x) {
  if (is.list(x)) {
    parts <- vapply(x, json, "")
    if (is.null(names(x))) return(paste0("[", paste(parts, collapse = ",\n "), "]"))
    return(paste0("{", paste0('"', names(x), '": ', parts, collapse = ", "), "}"))
  }
  digits <- function(v) if (as.numeric(sprintf("%.15g", v)) == v) sprintf("%.15g", v) else sprintf("%.17g", v)
  one <- function(v) if (is.character(v)) paste0('"', v, '"') else if (is.finite(v)) digits(v) else "null"
  parts <- vapply(x, one, "")
  if (length(x) == 1 && !inherits(x, "AsIs")) parts else paste0("[", paste(parts, collapse = ", "), "]")
}

# `I(...)` marks a vector that stays a list even where it holds one number.
print_cases <- function(command, cases) {
  cat(json(list(program = R.version.string, command = command, cases = cases)), "\n", sep = "")
}
