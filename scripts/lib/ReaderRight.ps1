function Get-AdministratorFact {
    <#
    .SYNOPSIS
    Says whether who reads this host is a local administrator whose rights are in force.
    .PARAMETER Token
    What Read-Token has read.
    #>
    param([Parameter(Mandatory = $true)] [hashtable] $Token)
    return Get-Fact -Reading {
        if ($Token.Why -ne '') { return New-UnreadableFact -Why "The rights cannot be read: $($Token.Why)" }
        try { Confirm-Administrator -Token $Token }
        catch {
            if ($_.FullyQualifiedErrorId -ne 'RemediateRefused') { throw }
            return New-ValueFact -Value $false
        }
        return New-ValueFact -Value $true
    }
}

function Get-ServiceControlFact {
    <#
    .SYNOPSIS
    Says whether who reads this host may stop and start a service. It is opened, and neither is done.
    .PARAMETER Name
    Its short name.
    #>
    param([Parameter(Mandatory = $true)] [string] $Name)
    return Get-Fact -Reading {
        $answer = Test-ServiceControl -Name $Name
        return New-ValueFact -Value ($null -ne $answer.Control)
    }
}
