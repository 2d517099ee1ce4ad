<#
.SYNOPSIS
What every session of a lab host runs before its first command.

.DESCRIPTION
Clients such as pypsrp bring no console, and then Windows formats for 120 columns. Not every engine falls back to
that by itself; without a width Out-String, and with it every native program, would fail there.
#>
Set-StrictMode -Version Latest
$global:PSDefaultParameterValues['Out-String:Width'] = 120
