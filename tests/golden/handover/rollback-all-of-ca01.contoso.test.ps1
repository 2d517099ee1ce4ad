#Requires -Version 5.1
<#
.SYNOPSIS
    Undoes what change.ps1 changed, and nothing else, from the values that it recorded.
.DESCRIPTION
    Host      ca01.contoso.test
    Undoes    3. RequestDisposition 0x101 -> 0x1 on ca01
              4. restart CertSvc on ca01, once
                 interrupts: no certificates and no revocation lists while it restarts
              5. decide once more on request 1207 of CONTOSO\CONN1$
                 no way back: a certificate that was issued can only be revoked
    Rights    local administrator on the CA host
              Issue and Manage Certificates on the CA
    Valid     at any time
    Plan      4b44290b7024109714864baae04a112fe93a3a49367cd29dd93de42b7a90f8f0
    Made      by remediate 0.1.0: remediate script plan.json --out FOLDER
              from facts that were read at 2026-11-23T09:12:00Z

    It needs the result.json that change.ps1 wrote beside it. Where somebody has changed a value since, nothing
    is changed. It asks before each change. After an interruption, run it again: it goes on where it stopped.
    What it does is recorded in rollback-result.json beside it; send that file back.
    To read it: '#region plan' says what is undone, '#region main', at the end, how; between them are functions.
.PARAMETER ResultPath
    The record that change.ps1 writes.
.PARAMETER RollbackPath
    The record that rollback.ps1 writes.
.EXAMPLE
    powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File .\rollback.ps1 -WhatIf
    Shows what it would write, and writes nothing.
.EXAMPLE
    powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File .\rollback.ps1
    Asks before each change.
.EXAMPLE
    powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -Command "& .\rollback.ps1 -Confirm:$false; exit $LASTEXITCODE"
    From cmd or a scheduled task: asks nothing.
.NOTES
    Exit codes:
    0  done, or nothing to do
    1  a value could not be read; nothing was changed
    2  with -WhatIf: there is something to do
    3  refused; nothing was changed
    4  stopped part-way, or some of it was declined: the record says where
#>
[CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
param(
    [string] $ResultPath = (Join-Path -Path $PSScriptRoot -ChildPath 'result.json'),
    [string] $RollbackPath = (Join-Path -Path $PSScriptRoot -ChildPath 'rollback-result.json')
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

#region plan: data only
$Plan = @{
    Digest = '4b44290b7024109714864baae04a112fe93a3a49367cd29dd93de42b7a90f8f0'
    Target = 'ca01.contoso.test'
    Tool = 'remediate 0.1.0'
    ExpiresAt = '2026-11-30T09:12:00Z'
    NotBefore = ''
    NotAfter = ''
    ComputerName = 'CA01'
    MachineGuid = '4a466256-1616-4b62-995f-781af4d5491e'
    CertificateThumbprint = 'ED98E70BE878383F50F941B02A392CD85B062774'
    Steps = @(
        @{
            Id = 3
            Kind = 'ca_registry_value'
            Label = 'RequestDisposition 0x101 -> 0x1 on ca01'
            DependsOn = @(2)
            Restarts = 'CertSvc'
            Disruption = ''
            UndoMissing = ''
            Key = 'HKLM:\SYSTEM\CurrentControlSet\Services\CertSvc\Configuration\Contoso Issuing CA\PolicyModules\CertificateAuthority_MicrosoftDefault.Policy'
            Name = 'RequestDisposition'
            CertutilName = 'policy\RequestDisposition'
            Before = @{
                'RequestDisposition' = '257'  # 0x101
            }
            After = @{
                'RequestDisposition' = '1'
            }
        }
        @{
            Id = 4
            Kind = 'restart_service'
            Label = 'restart CertSvc on ca01, once'
            DependsOn = @(2, 3)
            Restarts = ''
            Disruption = 'no certificates and no revocation lists while it restarts'
            UndoMissing = ''
            Before = @{
                'State' = 'Running'
            }
            After = @{
                'State' = 'Running'
            }
        }
        @{
            Id = 5
            Kind = 'pending_request'
            Label = 'decide once more on request 1207 of CONTOSO\CONN1$'
            DependsOn = @(4)
            Restarts = ''
            Disruption = ''
            UndoMissing = 'a certificate that was issued can only be revoked'
            RequestId = 1207
            Before = @{
                'Disposition' = 'pending'
            }
            After = @{
                'Disposition' = $null
            }
        }
    )
}
#endregion

#region library: the same text in every script
# (the functions of scripts/lib that this script calls)
#endregion

#region main
try { Confirm-Engine }
catch {
    Write-Warning -Message "$($_.Exception.Message) Nothing was changed."
    exit 3
}
# How each kind of step is read.
$read = {
    param($Step)
    switch ($Step.Kind) {
        'ca_registry_value' { Get-CaRegistryValue -Key $Step.Key -Name $Step.Name }
        'pending_request' { Get-PendingRequestState -RequestId $Step.RequestId }
        'restart_service' { Get-CertSvcState }
    }
}
# An administrator of this host may write all of it: there is nothing to look at beforehand.
$check = {}
# How it is written. Each of these functions compares before it writes, and reads back what it wrote.
$write = {
    param($Step, $Now)
    switch ($Step.Kind) {
        'ca_registry_value' {
            $value = @{ Key = $Step.Key; Name = $Step.Name; CertutilName = $Step.CertutilName }
            Set-CaRegistryValue @value -Before $Now -After $Step.After -Confirm:$false
        }
        'pending_request' { [void] (Submit-PendingRequest -RequestId $Step.RequestId -Confirm:$false) }
        'restart_service' {
            $done = if ($Now.State -eq 'Running') { Restart-CertSvc -Confirm:$false } else { Start-CertSvc -Confirm:$false }
            'it runs again after {0} s and answers {1}' -f $done.Seconds, $done.Answer
        }
    }
}
$lock = $null
$token = Read-Token
$account = $token.Account
$result = New-RunResult -Kind 'rollback' -Plan $Plan -Account $account
try {
    Confirm-HostIdentity -ComputerName $Plan.ComputerName -MachineGuid $Plan.MachineGuid
    Confirm-CaIdentity -Thumbprint $Plan.CertificateThumbprint
    Confirm-Administrator -Token $token
    Confirm-Answer
    $ResultPath = Get-FullPath -Path $ResultPath
    $RollbackPath = Get-FullPath -Path $RollbackPath
    $lock = Lock-RunResult -Path $ResultPath
    $change = Read-RunResult -Path $ResultPath -Plan $Plan
    if ($null -eq $change) { throw "There is no $ResultPath, so it is not known what to undo." }
    $result.undoes = $change.sha256
    $earlier = Read-EarlierRollback -Plan $Plan -Change $change -RollbackPath $RollbackPath
    $result.phase = 'reading'
    $steps = @(New-RollbackStep -Plan $Plan -Change $change -Read $read)
    # Everything is read and compared before anything is written.
    $run = @{ Steps = $steps; Earlier = $earlier; Path = $RollbackPath }
    Invoke-PlanRun @run -Result $result -Cmdlet $PSCmdlet -Read $read -Check $check -Write $write
}
catch { Stop-PlanRun -Result $result -Message $_.Exception.Message }
finally {
    Close-RunResult -Result $result -Path $RollbackPath
    if ($null -ne $lock) { $lock.Dispose() }
}
exit $result.exit_code
#endregion
