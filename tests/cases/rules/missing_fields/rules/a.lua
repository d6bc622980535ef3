projection "p" {}
rule "r" {}
