<#
.SYNOPSIS
Runs a script in a host whose user answers each question with the next letter: Y, N, A (yes to all), L (no to all).
.PARAMETER Script
The script.
.PARAMETER Answers
The letters.
#>
param([string] $Script, [string] $Answers)
Add-Type -TypeDefinition @'
using System;
using System.Collections.Generic;
using System.Collections.ObjectModel;
using System.Globalization;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Security;

public class AnsweringUI : PSHostUserInterface
{
    readonly Queue<char> answers;
    public AnsweringUI(string letters) { answers = new Queue<char>(letters); }
    public override PSHostRawUserInterface RawUI { get { return null; } }
    public override int PromptForChoice(string caption, string message, Collection<ChoiceDescription> choices, int first)
    {
        Console.WriteLine("ASKED " + caption + ": " + message);
        char letter = answers.Dequeue();
        for (int at = 0; at < choices.Count; at++)
            if (choices[at].Label.Contains("&" + letter, StringComparison.OrdinalIgnoreCase)) return at;
        throw new InvalidOperationException("no such choice: " + letter);
    }
    public override void Write(string value) { Console.Write(value); }
    public override void Write(ConsoleColor f, ConsoleColor b, string value) { Console.Write(value); }
    public override void WriteLine(string value) { Console.WriteLine(value); }
    public override void WriteErrorLine(string value) { Console.WriteLine(value); }
    public override void WriteDebugLine(string message) { Console.WriteLine(message); }
    public override void WriteVerboseLine(string message) { Console.WriteLine(message); }
    public override void WriteWarningLine(string message) { Console.WriteLine("WARNING: " + message); }
    public override void WriteProgress(long sourceId, ProgressRecord record) { }
    public override string ReadLine() { throw new NotSupportedException(); }
    public override SecureString ReadLineAsSecureString() { throw new NotSupportedException(); }
    public override Dictionary<string, PSObject> Prompt(string c, string m, Collection<FieldDescription> d)
    { throw new NotSupportedException(); }
    public override PSCredential PromptForCredential(string c, string m, string u, string t)
    { throw new NotSupportedException(); }
    public override PSCredential PromptForCredential(string c, string m, string u, string t, PSCredentialTypes a,
        PSCredentialUIOptions o) { throw new NotSupportedException(); }
}

public class AnsweringHost : PSHost
{
    readonly AnsweringUI ui;
    public int Code;
    public AnsweringHost(string letters) { ui = new AnsweringUI(letters); }
    public override Guid InstanceId { get; } = Guid.NewGuid();
    public override string Name { get { return Environment.GetEnvironmentVariable("LAB_HOST_NAME"); } }
    public override Version Version { get { return new Version(1, 0); } }
    public override PSHostUserInterface UI { get { return ui; } }
    public override CultureInfo CurrentCulture { get { return CultureInfo.InvariantCulture; } }
    public override CultureInfo CurrentUICulture { get { return CultureInfo.InvariantCulture; } }
    public override void SetShouldExit(int code) { Code = code; }
    public override void EnterNestedPrompt() { }
    public override void ExitNestedPrompt() { }
    public override void NotifyBeginApplication() { }
    public override void NotifyEndApplication() { }
}
'@
$console = [AnsweringHost]::new($Answers)
$space = [System.Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace($console)
$space.Open()
$shell = [powershell]::Create()
$shell.Runspace = $space
$line = "$env:LAB_MODULES; & '$Script'; exit `$LASTEXITCODE"
foreach ($said in $shell.AddScript($line).Invoke()) { [System.Console]::WriteLine($said) }
foreach ($problem in $shell.Streams.Error) { [System.Console]::WriteLine("ERROR: $problem") }
foreach ($warning in $shell.Streams.Warning) { [System.Console]::WriteLine("WARNING: $warning") }
exit $console.Code
